"""The dialog that asks again for captions that have a defect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.dialogs.confirm import close_or_ask
from tui.dialogs.dialog import Dialog

HINT = (
    "Which captions of {} are bad? Names as on Quality, with commas. Each is asked again, and stays"
    " until a caption without the defect comes."
)

DEFECTS = "loops,refusals,truncated"
"""The defects that are proposed."""


@dataclass(frozen=True)
class AskedAgain:
    """What a person asks for."""

    names: str
    """Names of defects, with commas."""
    changes: dict[str, str] = field(hash=False)
    """Settings as text: `prompt` and `seed`, those that were given."""


class AskAgain(Dialog[AskedAgain | None]):
    """Fields for names of defects, a prompt and a seed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="bad.close"),
    ]

    def __init__(self, tasks_phrase: str) -> None:
        super().__init__()
        self.tasks_phrase = tasks_phrase

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Ask again"
            dialog.border_subtitle = "enter goes on, esc closes"
            yield Static(HINT.format(self.tasks_phrase), markup=False, classes="muted")
            yield Input(DEFECTS, id="names", compact=True)
            yield Static("Another prompt, or nothing", markup=False, classes="muted")
            yield Input(id="prompt", compact=True)
            yield Static("Another seed, or nothing", markup=False, classes="muted")
            yield Input(id="seed", compact=True, restrict=r"\d*")

    def on_mount(self) -> None:
        for each in self.query(Input):
            each.cursor_blink = False

    @on(Input.Submitted)
    def submitted(self) -> None:
        values = {each.id: each.value.strip() for each in self.query(Input)}
        changes = {key: text for key in ("prompt", "seed") if (text := values[key])}
        self.dismiss(AskedAgain(values["names"], changes))

    def action_close(self) -> None:
        values = {each.id: each.value.strip() for each in self.query(Input)}
        typed = values != {"names": DEFECTS, "prompt": "", "seed": ""}
        close_or_ask(self.app, typed, lambda: self.dismiss(None))
