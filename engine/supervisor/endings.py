"""The ways in which an attempt ends, and what follows from each."""

from __future__ import annotations

from typing import Literal, NamedTuple

from db.rows import AttemptOutcome

EndKind = Literal[
    "finished",
    "server_unavailable",
    "taken_back",
    "withdrawn",
    "shard_changed",
    "worker_died",
    "worker_struck",
    "worker_stopped",
    "worker_lost",
]
"""How an attempt ends; `ENDINGS` says when and what follows."""


class Ending(NamedTuple):
    """What follows when an attempt ends in one way."""

    outcome: AttemptOutcome
    cancels: bool
    """True if the worker is told to forget the records that it is not generating yet; its model
    stays loaded, and what it is generating is lost."""
    task: Literal["complete", "release", "strike", "fail"]
    """What becomes of the task: the ledger's method of that name is called. A task that lacks no
    record is completed after each of them but `fail`, and `complete` does nothing else."""
    keeps_reason: bool
    """True if the task keeps the reason as its error."""


ENDINGS: dict[EndKind, Ending] = {
    # Every record has its row.
    "finished": Ending("done", False, "complete", False),
    # The worker can do no more now: its server does not answer. It has forgotten the records.
    "server_unavailable": Ending("withdrawn", False, "release", True),
    # A person excludes records of a running task.
    "taken_back": Ending("withdrawn", True, "release", True),
    # A pause, a lost image root, a write error: all tasks, or those of some devices.
    "withdrawn": Ending("withdrawn", True, "release", False),
    # The shard file is not the one that was split.
    "shard_changed": Ending("withdrawn", True, "fail", True),
    # The worker's process has ended; `exit_rules` says which of these it is.
    "worker_died": Ending("died", False, "release", True),
    "worker_struck": Ending("died", False, "strike", True),
    "worker_stopped": Ending("stopped", False, "release", False),
    "worker_lost": Ending("lost", False, "release", False),
}
"""The ways in which an attempt ends."""
