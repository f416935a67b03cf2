"""The Dashboard screen: devices, models, throughput, task counts, events and the newest caption."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.formatting import text
from tui.screens.project_screen import ProjectScreen
from tui.viewmodel import actions
from tui.widgets.devices import DevicesPane
from tui.widgets.events import EventsPane, LatestSamplePane
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

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "r", "retry_failed", "Retry", tooltip="Retry failed shards", id="dashboard.retry_failed"
        ),
        Binding(
            "t",
            "window",
            "Window",
            False,
            tooltip="Plot 5, 30 min, 6 h, all",
            id="plot.window",
        ),
        Binding(
            "v",
            "model",
            "Model",
            False,
            tooltip="Plot all models or one",
            id="plot.model",
        ),
        Binding("w", "wake", "Wake", False, tooltip="Wake resting devices", id="dashboard.wake"),
    ]

    def body(self) -> Iterable[Widget]:
        yield Container(
            DevicesPane(),
            ModelsPane(),
            ThroughputPlot(),
            TaskCountsPane(),
            EventsPane(),
            LatestSamplePane(),
            id="panes",
        )

    def show(self, snapshot: Snapshot) -> None:
        for pane in self.query(Pane):
            pane.show(snapshot)
        self.query_one(ThroughputPlot).show(snapshot)

    @property
    def resting_devices(self) -> list[str]:
        """Return the ids of the devices that get no task for a while after failures."""
        snapshot = self.session.snapshot
        if snapshot is None or snapshot.supervisor is None:
            return []
        return [view.row.id for view in snapshot.devices if view.row.state == "resting"]

    def why_not(self, action: str) -> str | None:
        snapshot = self.session.snapshot
        if action == "retry_failed" and (snapshot is None or not snapshot.tasks["failed"]):
            return "no shard failed; failed records are on Failures (4)"
        if action == "wake" and not self.resting_devices:
            return "no device rests"
        return None

    def action_retry_failed(self) -> None:
        snapshot = self.session.snapshot
        if snapshot is not None:
            failed_shards = text.plural(snapshot.tasks["failed"], "failed shard")
            consequence = "Captions that are there stay as they are."
            self.confirm(
                f"Retry {failed_shards}?",
                consequence,
                lambda: self.session.perform(actions.retry_failed),
            )

    def action_window(self) -> None:
        self.query_one(ThroughputPlot).next_window()

    def action_model(self) -> None:
        self.query_one(ThroughputPlot).next_model()

    def action_wake(self) -> None:
        for device in self.resting_devices:
            self.session.send_request("wake", device=device)
