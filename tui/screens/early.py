from __future__ import annotations

from typing import Any

from textual.events import DescendantFocus, Key
from textual.screen import ModalScreen, ScreenResultType
from textual.widgets import Input


class Early(ModalScreen[ScreenResultType]):
    """A dialog whose fields come in a later turn: what is typed before goes to the first one."""

    AUTO_FOCUS = ""  # no button has it before the fields are there

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed: list[Key] = []

    def keep(self, event: Key) -> None:
        """Of a key that nothing took."""
        if self.focused is None and event.is_printable:
            self.typed.append(event)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        typed, self.typed = self.typed, []
        if isinstance(event.widget, Input):
            for key in typed:
                event.widget.post_message(Key(key.key, key.character))
