"""What is told of a run that was killed: its supervisor ended without saying so."""

from __future__ import annotations

from db.rows import EventRow

KILLED_TEXT = "the run was killed, or its machine went down"


def killed_event(killed_at: float) -> EventRow:
    """Return the event of a run that was killed, at the time of its last sign of life.

    The next run writes it; until then, whoever shows events adds it.
    """
    return EventRow(created=killed_at, level="fail", text=KILLED_TEXT)
