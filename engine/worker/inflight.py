"""The records of the running attempt that are with a worker."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Work:
    task: int
    attempt: int
    first: int
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    decoding: deque[tuple[int, str, Future[Any]]] = field(default_factory=deque)
    asked: dict[Future[Any], int] = field(default_factory=dict)
    """What a server has not answered yet, and of which record. Held here, so that an answer to
    another attempt can never be taken for one of this."""
    complete: bool = False
    """No more records of this attempt will come for now: do not wait for a full batch."""
    alone: bool = False
    """What comes now is one record, which may be the end of whoever captions it."""

    @property
    def held(self) -> int:
        """Records that are not captioned yet, nor with who captions them."""
        return len(self.waiting) + len(self.decoding)

    @property
    def over(self) -> bool:
        """Whether none is held, and none will come for now."""
        return self.complete and not self.held
