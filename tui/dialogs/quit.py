"""The dialog that asks what happens to the run when the application quits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.keys.action import Action, ActionOwner

if TYPE_CHECKING:
    from tui.session.session import Session

QuitChoice = Literal["detach", "after_shard", "now"]
"""Leave the run on, or stop it after the running shards or at once."""


class Leave(ActionOwner, Dialog[QuitChoice | None]):
    """A choice of how to quit while a run is on; returns None to stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "leave('detach')", "Detach", id="leave.detach"),
        Action(
            "s",
            "leave('after_shard')",
            "Stop after the shards",
            id="leave.after_shard",
            changes_run=True,
        ),
        Action("K", "leave('now')", "Stop now", id="leave.now", changes_run=True),
        Binding("escape,n", "stay", "Stay", id="leave.stay"),
    ]

    def __init__(self, session: Session, workers_alive: int, eta: float | None) -> None:
        super().__init__()
        self.session = session
        self.workers_alive = workers_alive
        self.eta = eta

    def compose(self) -> ComposeResult:
        left = f" (ETA {text.duration(self.eta)})" if self.eta is not None else ""
        verb = "is" if self.workers_alive == 1 else "are"
        workers = f"{text.plural(self.workers_alive, 'worker')} {verb} alive{left}"
        run_state = workers if self.workers_alive else "its workers are starting"
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Quit"
            yield Static(
                f"A run goes on: {run_state}.\n",
                markup=False,
            )
            yield Static(choice_line("d", "Detach: close this window, the run goes on"))
            yield Static(choice_line("s", "Stop after the running shards, and quit now"))
            yield Static(
                choice_line("K", "Stop now, and quit; the batches under way are done again")
            )
            yield Static(choice_line("esc", "Stay"))

    def action_leave(self, choice: QuitChoice) -> None:
        self.dismiss(choice)

    def action_stay(self) -> None:
        self.dismiss(None)


def choice_line(key: str, effect: str) -> Content:
    return Content.assemble((f"{key:>3}", "bold $text-primary"), f"  {effect}")
