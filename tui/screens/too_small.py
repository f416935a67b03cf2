"""The screen that hides the application while the terminal is too small for it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

WIDTH, HEIGHT = 60, 24
"""The smallest terminal, in cells, that every screen and dialog is laid out for."""


class TooSmall(Screen[None]):
    """A screen over all others until the terminal is large enough; only the quit keys work."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "Quit", id="small.quit")]

    @property
    def is_modal(self) -> bool:
        # Not a ModalScreen: Textual draws that over the others, which hide it after a resize.
        return True

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def on_resize(self) -> None:
        width, height = self.app.size
        self.query_one(Static).update(
            f"This terminal has {width}x{height} cells; mllmaug-tui needs {WIDTH}x{HEIGHT}."
            " Make it larger, or press q."
        )


def cover_if_too_small(app: App[Any]) -> None:
    """Cover the application's screen while its terminal is too small, and uncover it after that."""
    too_small = app.size.width < WIDTH or app.size.height < HEIGHT
    if too_small and not isinstance(app.screen, TooSmall):
        app.push_screen(TooSmall())
    elif not too_small and isinstance(app.screen, TooSmall):
        app.pop_screen()
