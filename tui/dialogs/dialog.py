from __future__ import annotations

from functools import partial

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType

RETRY_SECONDS = 0.1


class Dialog(ModalScreen[ScreenResultType]):
    """A modal screen that closes itself alone, and once.

    Textual takes down whatever is in front: a button that was pressed just before its dialog
    closed would end another screen, or the application.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        if self is self.app.screen:
            return super().dismiss(result)
        if self in self.app.screen_stack:  # something is in front, such as "too small"
            self.set_timer(RETRY_SECONDS, partial(self.dismiss, result))
        return AwaitComplete()
