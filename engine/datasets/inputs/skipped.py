"""Records that cannot be read: the error of one, and the list of those that were left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.utils.errors import BadInput

MAX_MESSAGES = 20
"""Messages about left-out records that are kept: more tell a person nothing new."""


class BadRecord(BadInput):
    """Raised for one record that cannot be read, and could be left out."""


@dataclass(slots=True)
class SkippedRecords:
    """The records that were left out of an input."""

    count: int = 0
    """Number of records left out."""
    messages: list[str] = field(default_factory=list)
    """What is wrong with the first of them, each with its position."""

    def add(self, message: str) -> None:
        """Count one more record, with what is wrong with it."""
        self.count += 1
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(message)
