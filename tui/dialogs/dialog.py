"""The base class of all dialogs."""

from __future__ import annotations

from functools import partial

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType

RETRY_SECONDS = 0.1
"""Seconds until a dialog that is not in front tries again to close."""


class Dialog(ModalScreen[ScreenResultType]):
    """A modal screen whose `dismiss` closes this screen only, and only once.

    Textual's own `dismiss` closes the screen in front, whichever that is: a button pressed just
    before its dialog closed would close another screen, or end the application.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        if self is self.app.screen:
            return super().dismiss(result)
        if self in self.app.screen_stack:  # another screen is in front, such as TooSmall
            self.set_timer(RETRY_SECONDS, partial(self.dismiss, result))
        return AwaitComplete()
