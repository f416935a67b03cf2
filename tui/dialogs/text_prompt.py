"""The dialog that asks for one line of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.dialogs.deferred_dialog import DeferredDialog
from tui.widgets.path_complete import PathComplete


class Ask(DeferredDialog[str | None]):
    """A field for one line, such as a path; returns what is typed, None if that is nothing.

    On a busy machine a person types before the field has the focus: the field gets these keys.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="ask.close"),
    ]

    def __init__(
        self,
        title: str,
        hint: str,
        value: str = "",
        path: bool = False,
        optional: bool = False,
        check: Callable[[str], str | None] = lambda typed: None,
    ) -> None:
        super().__init__()
        self.heading, self.hint, self.value, self.path = title, hint, value, path
        self.optional = optional
        """True if an empty line is an answer, too."""
        self.check = check
        """Returns what is wrong with a line, which is then shown and not returned."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self.heading
            dialog.border_subtitle = "enter goes on, esc closes"
            yield Static(self.hint, markup=False, classes="muted")
            yield Input(self.value, id="line", compact=True, select_on_focus=False)
            yield Static(id="problem", markup=False, classes="error")
        if self.path:
            yield PathComplete("#line")

    async def mount_fields(self) -> None:
        """The field is there with the frame; only its focus waits for the keys typed so far."""
        field = self.query_one(Input)
        field.cursor_blink = False
        field.cursor_position = len(self.value)

    def first_field(self) -> Input:
        return self.query_one(Input)

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        problem = self.check(typed) if typed else None
        if problem is None:
            self.dismiss(typed or ("" if self.optional else None))
        else:
            self.query_one("#problem", Static).update(problem)

    def action_close(self) -> None:
        self.dismiss_when_filled(None)
