from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Container
from textual.widget import Widget

from tui.commands import Commands
from tui.screens.run import RunScreen
from tui.widgets.devices import Devices
from tui.widgets.events import Events, LatestSample
from tui.widgets.models import Models
from tui.widgets.pane import Pane
from tui.widgets.tasks import Tasks
from tui.widgets.throughput import Throughput

if TYPE_CHECKING:
    from tui.snapshot import Snapshot


class DashboardCommands(Commands):
    topic = "dashboard"


class Dashboard(RunScreen):
    """The whole run at a glance."""

    MODE = "dashboard"
    HELP = "What every device and model does now, and what happened last."
    COMMANDS: ClassVar[set[Any]] = {DashboardCommands}

    def body(self) -> Iterable[Widget]:
        yield Container(
            Devices(), Models(), Throughput(), Tasks(), Events(), LatestSample(), id="panes"
        )

    def show(self, snapshot: Snapshot) -> None:
        for pane in self.query(Pane):
            pane.show(snapshot)
        self.query_one(Throughput).show(snapshot)
