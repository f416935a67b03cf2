"""Finding the one record that kills every worker, or every server (docs/architecture.md, "States
of a task").

The records that a worker had reported before it died, or that were with a server when it went
away, are suspects and run alone, one at a time. A record that keeps ending its worker or server
while alone is poison. Whether the device is to blame instead is decided by the callers: on a
device that never captioned anything, the device, or the model on it, is as likely to be the cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

CRASH_WEIGHT = 2
"""Evidence that one crash with the record alone counts for."""
KILL_WEIGHT = 1
"""Evidence that one kill from outside, or one hanging disk, counts for: half of a crash, since
either may have hit any record."""


class PoisonDetector:
    """The suspects of every task and the evidence against each, since the run started."""

    def __init__(self) -> None:
        self.suspects: dict[int, set[int]] = {}
        """Indexes of suspected records, by task id."""
        self.evidence: Counter[tuple[int, int]] = Counter()
        """Weighted deaths with the record alone, by (task id, index), on the caller's own scale."""

    def add_suspects(self, task_id: int, records: Iterable[int]) -> None:
        """Suspect the task's records with these indexes, too."""
        self.suspects.setdefault(task_id, set()).update(records)

    def has_suspects(self, task_id: int) -> bool:
        """Return True if a record of the task is suspected."""
        return bool(self.suspects.get(task_id))

    def in_order(self, task_id: int) -> list[int]:
        """Return the indexes of the task's suspects in the order in which they are to run alone.

        Suspects with the least evidence come first, so that kills from outside spread over all of
        them.
        """
        return sorted(
            self.suspects.get(task_id, ()),
            key=lambda record: (self.evidence[task_id, record], record),
        )

    def add_evidence(self, task_id: int, record: int, weight: int) -> None:
        """Count a death with the record alone."""
        self.evidence[task_id, record] += weight

    def clear_suspects(self, task_id: int) -> None:
        """Suspect no record of the task any more; the evidence against each stays."""
        self.suspects.pop(task_id, None)
