"""Finding the one record that kills every worker, or every server (DESIGN §6, poison).

The records that a worker had named before it died are suspects and run alone, one at a time. A
record that keeps dying alone is poison, if the device captions others; on a device that never
captioned anything the device, or the model on it, is as likely to be the cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

CRASH = 2
KILL = 1
"""How much a death alone counts against a record. A kill from outside, or a disk that hangs, may
have hit any."""


class PoisonDetector:
    def __init__(self, deaths: int) -> None:
        """`deaths` crashes alone, or twice as many kills, make a record poison."""
        self.needed = deaths * CRASH
        self.records: dict[int, set[int]] = {}
        self.evidence: Counter[tuple[int, int]] = Counter()

    def name(self, task_id: int, records: Iterable[int]) -> None:
        self.records.setdefault(task_id, set()).update(records)

    def in_order(self, task_id: int) -> list[int]:
        """One that died alone goes last, so that kills from outside spread over them all."""
        return sorted(
            self.records.get(task_id, ()),
            key=lambda record: (self.evidence[task_id, record], record),
        )

    def died_alone(self, task_id: int, record: int, killed: bool) -> bool:
        """Whether that makes the record poison."""
        self.evidence[task_id, record] += KILL if killed else CRASH
        return self.evidence[task_id, record] >= self.needed

    def times_alone(self, task_id: int, record: int) -> int:
        """Crashes with this record alone."""
        return self.evidence[task_id, record] // CRASH

    def acquit(self, task_id: int) -> None:
        self.records.pop(task_id, None)
