"""The dialog that shows a text in full."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.dialog import Dialog


class Details(Dialog[None]):
    """A scrollable text, such as all captions of a record."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", "Close", id="details.close"),
        Binding("j", "scroll(1)", "Down", show=False, id="details.down"),
        Binding("k", "scroll(-1)", "Up", show=False, id="details.up"),
    ]

    def __init__(self, title: str, content: Content) -> None:
        super().__init__()
        self.heading = title
        self.content = content

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = self.heading
            dialog.border_subtitle = "esc closes"
            yield Static(self.content)

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
