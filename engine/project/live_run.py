"""Whether a run is under way, which its lock says, and whether this machine can see it."""

from __future__ import annotations

from dataclasses import dataclass

from db.rows import SupervisorRow
from engine.process import identity
from engine.project.layout import Project
from engine.project.lock import LockHolder, find_holder


@dataclass(frozen=True, slots=True)
class LiveRun:
    """Who works on a project now."""

    supervisor: SupervisorRow | None = None
    """The supervisor that runs; None if none does, or if it has not said so in the database yet."""
    elsewhere: LockHolder | None = None
    """Who holds the project's lock on another machine or in another PID namespace; None if nobody
    does."""


def find_live_run(project: Project, row: SupervisorRow | None) -> LiveRun:
    """Return who works on the project. `row` is the supervisor in its database, which may be dead.

    Where the lock cannot be asked, the supervisor's process is looked up. That is so, too, once the
    lock file was removed: the run then ends, and until it has, no other may begin.
    """
    try:
        holder = find_holder(project.lock)
    except OSError:
        return LiveRun(row if row is not None and identity.is_alive(row) else None)
    if holder is None:
        return LiveRun()
    elsewhere = None if holder.pid is None or holder.is_visible else holder
    return LiveRun(row if row is not None and is_supervisor(holder, row) else None, elsewhere)


def is_supervisor(holder: LockHolder, row: SupervisorRow) -> bool:
    """Return True if the process that holds the lock is the supervisor of the row."""
    return (
        (holder.host, holder.pid) == (row.host, row.pid)
        and holder.created in (None, row.created)
        and holder.boot_id in (None, row.boot_id)
    )
