"""A list to choose from that may close before it is mounted."""

from __future__ import annotations

from typing import TypeVar

from textual.events import Mount
from textual.widgets import Select

T = TypeVar("T")


class Choice(Select[T]):
    """Textual's `Select`, for dialogs that a key may close while they open."""

    def _on_mount(self, event: Mount) -> None:
        """Keep `Select` from setting its first value if its parts are gone: it would raise."""
        if not (self.query("#label") and self.query("SelectOverlay")):
            event.prevent_default()
