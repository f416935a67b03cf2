"""A check box that shows its state in text."""

from __future__ import annotations

from textual.widgets import Checkbox


class BracketCheckbox(Checkbox):
    """A check box drawn as `[x]` or `[ ]`; the states of Textual's own differ by colour alone."""

    BUTTON_LEFT = "["
    BUTTON_INNER = " "
    BUTTON_RIGHT = "]"

    def watch_value(self) -> None:
        self.BUTTON_INNER = "x" if self.value else " "
        super().watch_value()
