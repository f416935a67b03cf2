"""A list to choose from that may close before it is mounted."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

from textual.css.query import NoMatches
from textual.events import Mount
from textual.widgets import Select

T = TypeVar("T")


class Choice(Select[T]):
    """Textual's `Select`, for dialogs that a key may close while they open."""

    def _on_mount(self, event: Mount) -> None:
        """Set the first value, as `Select` does, unless the parts are gone again.

        In a dialog that closes they are not made any more, and `Select` would end the application.
        """
        event.prevent_default()  # else Textual calls the method of `Select`, too
        with suppress(NoMatches):
            super()._on_mount(event)
