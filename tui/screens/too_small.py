from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

WIDTH, HEIGHT = 80, 24


class TooSmall(Screen[None]):
    """Covers everything until the terminal is large enough; no key works but quit."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "Quit", id="small.quit")]

    @property
    def is_modal(self) -> bool:
        """A ModalScreen would be drawn over the others, which hide it after a resize."""
        return True

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def on_resize(self) -> None:
        width, height = self.app.size
        self.query_one(Static).update(
            f"This terminal has {width}x{height} cells; mllmaug-tui needs {WIDTH}x{HEIGHT}."
            " Make it larger, or press q."
        )
