"""The dialog that asks how the run stops; the application stays open."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.dialogs.dialog import Dialog
from tui.dialogs.quit import choice_line


class StopRun(Dialog[bool | None]):
    """A choice of how to stop; returns True for after the running shards, None to go on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop(True)", "Stop after the shards", id="stop.after_shard"),
        Binding("K", "stop(False)", "Stop now", id="stop.now"),
        Binding("escape,n", "stay", "Go on", id="stop.stay"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Stop the run"
            yield Static("Every caption is kept; p goes on where the run was.\n", markup=False)
            yield Static(choice_line("s", "Stop after the running shards"))
            yield Static(choice_line("K", "Stop now; the batches under way are done again"))
            yield Static(choice_line("esc", "Go on"))

    def action_stop(self, after_shard: bool) -> None:
        self.dismiss(after_shard)

    def action_stay(self) -> None:
        self.dismiss(None)
