from __future__ import annotations

from typing import Any

from textual.events import Key
from textual.screen import ScreenResultType
from textual.widget import Widget
from textual.widgets import Input

from tui.dialogs.dialog import Dialog


class DeferredDialog(Dialog[ScreenResultType]):
    """A dialog with many fields: its frame comes first, they come in a later turn of the loop.

    All at once they held the loop for more than 0.1 s. What is typed before they are there goes to
    the first of them; and a dialog is not taken down while it is being put up, which Textual's own
    widgets do not survive.
    """

    AUTO_FOCUS = ""  # no button has it before the fields are there

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed: list[Key] = []
        self.filled = False
        self.leaving = False

    async def fill(self) -> None:
        """Mounts what the frame lacks."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.call_after_refresh(self.fill_in)

    async def fill_in(self) -> None:
        await self.fill()
        self.filled = True
        if self.leaving:
            self.dismiss(None)
        else:  # behind what was typed so far: it waits for this screen, then for the application
            self.call_later(lambda: self.app.call_later(self.take_typed))

    def first(self) -> Widget:
        """Where one begins to type."""
        raise NotImplementedError

    def take_typed(self) -> None:
        if not self.is_current:
            return
        first = self.first()
        self.set_focus(first)
        for key in self.typed:
            if key.key == "enter" and isinstance(first, Input):
                first.call_later(first.action_submit)  # a binding: found on the way of its own keys
            else:
                first.post_message(Key(key.key, key.character))

    def leave(self, result: ScreenResultType | None) -> None:
        if self.filled:
            self.dismiss(result)
        else:
            self.leaving = True

    def keep(self, event: Key) -> None:
        """Of a key that nothing took."""
        if self.focused is None and (event.is_printable or event.key == "enter"):
            self.typed.append(event)
