"""Completion of paths in a text field."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from textual.events import Event, Key
from textual.widgets import Input
from textual_autocomplete import DropdownItem, PathAutoComplete, TargetState

MAX_ENTRIES = 2_000
"""Entries read of a folder: one with millions of images must not hold up the screen."""


class PathComplete(PathAutoComplete):
    """A list of completions of absolute paths, `~` and relative paths below a field, without emoji.

    Enter takes the completion under the cursor, tab always goes to the next field. For a name that
    exists as it was typed nothing is offered.
    """

    def __init__(self, target: Input | str, folders_only: bool = False) -> None:
        super().__init__(target)
        self.folders_only = folders_only
        """True if only folders are offered."""

    def _listen_to_messages(self, event: Event) -> None:
        if isinstance(event, Key) and event.key == "tab":
            self.action_hide()
        else:
            super()._listen_to_messages(event)

    def get_candidates(self, target_state: TargetState) -> list[DropdownItem]:
        typed = target_state.text[: target_state.cursor_position]
        head, _, name_start = typed.rpartition("/")
        folder = Path(head).expanduser() if head else Path("/" if typed.startswith("/") else ".")
        try:
            with os.scandir(folder) as entries:
                read = islice(entries, MAX_ENTRIES)
                names = [
                    e.name + "/" * e.is_dir() for e in read if e.is_dir() or not self.folders_only
                ]
        except (OSError, RuntimeError, ValueError):
            return []
        if name_start in names or f"{name_start}/" in names:
            return []
        hidden = name_start.startswith(".")
        shown = (name for name in names if name.isprintable() and name.startswith(".") <= hidden)
        ordered = sorted(shown, key=lambda name: (not name.endswith("/"), name.lower()))
        return [DropdownItem(name) for name in ordered]

    def post_completion(self) -> None:
        super().post_completion()
        # The completion sets the value without the message that the dialogs wait for.
        self.target.post_message(Input.Changed(self.target, self.target.value))
