from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.dialog import Dialog
from tui.formatting import text

Way = Literal["detach", "after_shard", "now"]


class Leave(Dialog[Way | None]):
    """How to quit while captioning goes on; None to stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "leave('detach')", "Detach", id="leave.detach"),
        Binding("s", "leave('after_shard')", "Stop after the shards", id="leave.after_shard"),
        Binding("K", "leave('now')", "Stop now", id="leave.now"),
        Binding("escape,n", "stay", "Stay", id="leave.stay"),
    ]

    def __init__(self, alive: int, eta: float | None) -> None:
        super().__init__()
        self.alive = alive
        self.eta = eta

    def compose(self) -> ComposeResult:
        left = f" (ETA {text.duration(self.eta)})" if self.eta is not None else ""
        verb = "is" if self.alive == 1 else "are"
        workers = f"{text.plural(self.alive, 'worker')} {verb} alive{left}"
        goes_on = workers if self.alive else "its workers are starting"
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Quit"
            yield Static(
                f"A run goes on: {goes_on}.\n",
                markup=False,
            )
            yield Static(choice("d", "Detach: close this window, the run goes on"))
            yield Static(choice("s", "Stop after the running shards, and quit now"))
            yield Static(choice("K", "Stop now, and quit; the batches under way are done again"))
            yield Static(choice("esc", "Stay"))

    def why_not(self, action: str) -> str | None:
        readonly = getattr(self.app, "readonly", False)
        return "opened with --readonly" if action == "leave" and readonly else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if parameters != ("detach",) and self.why_not(action) else True

    def action_leave(self, way: Way) -> None:
        self.dismiss(way)

    def action_stay(self) -> None:
        self.dismiss(None)


def choice(key: str, what: str) -> Content:
    return Content.assemble((f"{key:>3}", "bold $text-primary"), f"  {what}")
