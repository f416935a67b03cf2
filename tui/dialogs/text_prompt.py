"""The dialog that asks for one line of text."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.dialogs.dialog import Dialog
from tui.widgets.path_complete import PathComplete


class Ask(Dialog[str | None]):
    """A field for one line, such as a path; returns what is typed, None if that is nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="ask.close"),
    ]

    def __init__(self, title: str, hint: str, value: str = "", path: bool = False) -> None:
        super().__init__()
        self.heading, self.hint, self.value, self.path = title, hint, value, path

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self.heading
            dialog.border_subtitle = "enter goes on, esc closes"
            yield Static(self.hint, markup=False, classes="muted")
            yield Input(self.value, id="line", compact=True, select_on_focus=False)
        if self.path:
            yield PathComplete("#line")

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.cursor_blink = False
        field.cursor_position = len(self.value)

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)

    def action_close(self) -> None:
        self.dismiss(None)
