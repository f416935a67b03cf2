from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from textual_autocomplete import DropdownItem, PathAutoComplete, TargetState

ENTRIES_READ = 2_000
"""A folder of millions of images must not hold up the screen."""


class PathComplete(PathAutoComplete):
    """Completes absolute paths, `~` and paths from here, without emoji."""

    def get_candidates(self, target_state: TargetState) -> list[DropdownItem]:
        typed = target_state.text[: target_state.cursor_position]
        head = typed.rpartition("/")[0]
        folder = Path(head).expanduser() if head else Path("/" if typed.startswith("/") else ".")
        try:
            with os.scandir(folder) as entries:
                names = [e.name + "/" * e.is_dir() for e in islice(entries, ENTRIES_READ)]
        except (OSError, RuntimeError, ValueError):
            return []
        hidden = typed.rpartition("/")[2].startswith(".")
        shown = (name for name in names if name.isprintable() and name.startswith(".") <= hidden)
        ordered = sorted(shown, key=lambda name: (not name.endswith("/"), name.lower()))
        return [DropdownItem(name) for name in ordered]
