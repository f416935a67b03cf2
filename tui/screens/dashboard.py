"""The Dashboard screen: devices, models, throughput, task counts, events and the newest caption."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.formatting import text
from tui.keys.dashboard import DASHBOARD_ACTIONS
from tui.screens.project_screen import ProjectScreen
from tui.viewmodel import actions
from tui.widgets.devices import DevicesPane
from tui.widgets.events import EventsPane, LatestSamplePane
from tui.widgets.finished import FinishedPane
from tui.widgets.models import ModelsPane
from tui.widgets.pane import Pane
from tui.widgets.task_counts import TaskCountsPane
from tui.widgets.throughput import ThroughputPlot

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot


class Dashboard(ProjectScreen):
    """The whole run at a glance; retries failed shards and wakes resting devices."""

    MODE = "dashboard"
    HELP = "What every device and model does now, and what happened last."
    AUTO_FOCUS = "DevicesPane"  # the pane before it may be hidden, and would take the focus as well

    BINDINGS: ClassVar[list[BindingType]] = [*DASHBOARD_ACTIONS]

    def body(self) -> Iterable[Widget]:
        yield Container(
            FinishedPane(self.project),
            DevicesPane(),
            ModelsPane(),
            ThroughputPlot(self.project),
            TaskCountsPane(),
            EventsPane(self.session),
            LatestSamplePane(),
            id="panes",
        )

    def show(self, snapshot: Snapshot) -> None:
        self.query_one(DevicesPane).display = snapshot.state != "finished"
        for pane in self.query(Pane):
            pane.show(snapshot)
        self.query_one(ThroughputPlot).show(snapshot)

    def action_retry_failed(self) -> None:
        snapshot = self.session.snapshot
        if snapshot is not None:
            failed_shards = text.plural(snapshot.tasks["failed"], "failed shard")
            consequence = "Captions that are there stay as they are."
            self.confirm(
                f"Retry {failed_shards}?",
                consequence,
                lambda: self.perform(actions.retry_failed),
            )

    def action_window(self) -> None:
        self.query_one(ThroughputPlot).next_window()

    def action_model(self) -> None:
        self.query_one(ThroughputPlot).next_model()

    def action_wake(self) -> None:
        from engine.requests.kinds import Wake

        snapshot = self.session.snapshot
        for device in snapshot.resting_devices if snapshot is not None else ():
            self.send_request(Wake(device=device))
