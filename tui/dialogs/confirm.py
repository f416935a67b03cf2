"""The dialog that asks a yes-no question before something is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tui.dialogs.dialog import Dialog

NOT_SAVED = "Nothing is saved."
"""What follows from closing a dialog with changed fields."""


class Confirm(Dialog[bool]):
    """A yes-no question and its consequence; `No` has the focus. Returns True for yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape", "answer(False)", "No", id="confirm.no"),
        Binding("left,right,h,l", "app.focus_next", "Other button", show=False, id="confirm.move"),
    ]

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self.question = question
        self.consequence = consequence

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Confirm"
            yield Static(self.question, markup=False)
            yield Static(self.consequence, markup=False, classes="muted")
            with Horizontal(classes="buttons"):
                yield Button("No (n)", id="no")
                yield Button("Yes (y)", id="yes", variant="warning")

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    @on(Button.Pressed)
    def pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


def close_or_ask(app: App[Any], changed: bool, close: Callable[[], object]) -> None:
    """Call `close`, after a question if something that was entered would be lost."""

    def answer(yes: bool | None) -> None:
        if yes:
            close()

    if changed:
        app.push_screen(Confirm("Close, and lose what you entered?", NOT_SAVED), answer)
    else:
        close()
