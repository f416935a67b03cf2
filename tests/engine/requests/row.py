"""A line of what a request does, as `test_handlers` checks it, and states that tasks begin in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from db.rows import Rating
from engine.requests.kinds import Request

DONE = {"state": "done", "digest": "x", "captioned": 4, "left": 0, "rows": 4, "log_bytes": 99}
"""A task that is done with four captions."""
DONE_3 = DONE | {"captioned": 3, "failed": 1}
"""A task that is done with three captions and a failed record."""
FAILED = {"state": "failed", "strikes": 3, "error": "it crashed", "error_cause": "crashed"}
RUNNING = {"state": "running", "attempt": 1, "started": 1.0}
SKIPPED = {"state": "skipped"}
AGAIN = {
    "state": "pending",
    "strikes": 0,
    "not_before": 0.0,
    "error": None,
    "error_cause": None,
    "finished": None,
}
"""What every retry sets; the digest of a finished log stays until the log grows."""
ALL_AGAIN = AGAIN | {"redo": "all", "redo_from": 99, "left": 4, "asked": 4}
BLOCKED = {"blocked": "no", "blocked_cause": "died", "load_failures": 3}
UNBLOCKED: dict[str, Any] = {"blocked": None, "blocked_cause": None, "load_failures": 0}
WAITING = {"not_before": 2e6, "unavailable": "HTTP 503", "unavailable_cause": "failing"}

Changes = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of behaviour."""

    request: Request
    answer: str
    state: str = "done"
    """How the request is answered."""
    live: bool | None = None
    """True if it holds for a run only, False without one only, None for both."""
    tasks: Changes = field(default_factory=dict)
    """Fields of tasks before, by task id, where they are not those of a new task."""
    models: Changes = field(default_factory=dict)
    paused: tuple[Any, ...] = ()
    """The arguments of `ProjectState.pause`, if it is paused before."""
    witness: str | None = None
    flags: frozenset[tuple[int, int]] = frozenset()
    ratings: Mapping[tuple[int, int, int, str], Rating] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    """What is other than before, afterwards; everything else is as it was."""
    told: list[tuple[Any, ...]] = field(default_factory=list)
    """What the supervisor was told."""
    events: tuple[str, ...] = ()
