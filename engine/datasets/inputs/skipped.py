"""Leaving out what cannot be read, and saying what it was."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.utils.errors import BadInput

SHOWN = 20


class BadRecord(BadInput):
    """One record that cannot be read, and could be left out."""


@dataclass(slots=True)
class Skipped:
    """Records that were left out, the first of them in words."""

    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, why: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(why)
