from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from textual.widgets import Input
from textual_autocomplete import DropdownItem, PathAutoComplete, TargetState

ENTRIES_READ = 2_000
"""A folder of millions of images must not hold up the screen."""


class PathComplete(PathAutoComplete):
    """Completes absolute paths, `~` and paths from here, without emoji.

    A name that is there as it was typed is left alone: tab then goes to the next field.
    """

    def __init__(self, target: Input | str, folders: bool = False) -> None:
        super().__init__(target)
        self.folders = folders
        """Whether only folders are wanted."""

    def get_candidates(self, target_state: TargetState) -> list[DropdownItem]:
        typed = target_state.text[: target_state.cursor_position]
        head, _, begun = typed.rpartition("/")
        folder = Path(head).expanduser() if head else Path("/" if typed.startswith("/") else ".")
        try:
            with os.scandir(folder) as entries:
                read = islice(entries, ENTRIES_READ)
                names = [e.name + "/" * e.is_dir() for e in read if e.is_dir() or not self.folders]
        except (OSError, RuntimeError, ValueError):
            return []
        if begun in names or f"{begun}/" in names:
            return []
        hidden = begun.startswith(".")
        shown = (name for name in names if name.isprintable() and name.startswith(".") <= hidden)
        ordered = sorted(shown, key=lambda name: (not name.endswith("/"), name.lower()))
        return [DropdownItem(name) for name in ordered]

    def post_completion(self) -> None:
        """Tells whoever looks at the field, which the completion itself does not."""
        super().post_completion()
        self.target.post_message(Input.Changed(self.target, self.target.value))
