"""A dialog whose fields are mounted after its frame is on screen."""

from __future__ import annotations

from typing import Any

from textual.events import Key
from textual.screen import ScreenResultType
from textual.widget import Widget
from textual.widgets import Input

from tui.dialogs.dialog import Dialog


class DeferredDialog(Dialog[ScreenResultType]):
    """A dialog with many fields: a later turn of the event loop mounts them into its frame.

    Mounting frame and fields at once held the loop for more than 0.1 s. Keys that are typed before
    the fields are there go to the first field. A dialog that is closed before that is dismissed
    only when its fields are there: Textual's widgets do not survive being removed while they mount.
    """

    AUTO_FOCUS = ""  # no button may have the focus before the fields are there

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed_keys: list[Key] = []
        """Keys typed before the fields are there."""
        self.is_filled = False
        """True once the fields are mounted."""
        self.close_when_filled = False
        """True if the dialog is to be closed as soon as its fields are mounted."""

    async def mount_fields(self) -> None:
        """Mount the fields into the frame."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.call_after_refresh(self.fill_and_focus)

    async def fill_and_focus(self) -> None:
        await self.mount_fields()
        self.is_filled = True
        if self.close_when_filled:
            self.dismiss(None)
        else:
            # Keys typed so far wait in the queues of the application and of this screen: go behind.
            self.call_later(lambda: self.app.call_later(self.replay_keys))

    def first_field(self) -> Widget:
        """Return the field that gets the focus and the keys typed so far."""
        raise NotImplementedError

    def replay_keys(self) -> None:
        """Focus the first field, and send it the keys typed before it was there."""
        if not self.is_current:
            return
        first_field = self.first_field()
        self.set_focus(first_field)
        for key in self.typed_keys:
            if key.key == "enter" and isinstance(first_field, Input):
                # Enter is a binding of the field, which a posted key does not trigger.
                first_field.call_later(first_field.action_submit)
            else:
                first_field.post_message(Key(key.key, key.character))

    def dismiss_when_filled(self, result: ScreenResultType | None) -> None:
        """Close with `result`, or with None once the fields are mounted if they are not yet."""
        if self.is_filled:
            self.dismiss(result)
        else:
            self.close_when_filled = True

    def store_key(self, event: Key) -> None:
        """Keep a key that no field took, if it was typed for the first field."""
        if self.focused is None and (event.is_printable or event.key == "enter"):
            self.typed_keys.append(event)
