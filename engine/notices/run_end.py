"""The end of a run that cannot tell it itself: whoever sees it next does, and once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from db import notices, progress, projects
from db.connection import DatabaseError, reading, writing
from db.rows import NoticeKind, NoticeRow, SupervisorRow
from engine.notices.notifier import hooks_for, start_notifier
from engine.project.layout import Project
from engine.project.live_run import LiveRun, find_live_run
from engine.utils.user_config import state_folder


def end_key(run: SupervisorRow) -> str:
    """Return the key of the notice that a run has ended, however it did."""
    return f"end of {run.boot_id} {run.pid} {run.created:.6f}"


def finished_key(last_finished: float | None) -> str:
    """Return the key of the notice that no task is left: it is told once until one is done again.

    `last_finished` is when the last task became done or failed; None if all are skipped.
    """
    return f"finished {last_finished}"


def death_notice(
    run: SupervisorRow, tasks_left: int, last_finished: float | None, now: float
) -> NoticeRow:
    """Return the notice of a run that ended without saying so, with so many tasks left."""
    if not tasks_left:
        key = finished_key(last_finished)
        return NoticeRow(created=now, kind="finished", text="finished: no task is left", key=key)
    text = f"the run on {run.host} was killed; no caption is lost, and 'run' goes on with it"
    return NoticeRow(created=now, kind="killed", text=text, key=end_key(run))


def remember_run(project: Project) -> None:
    """Remember that this user runs the project, so that they are told of it and nobody else is.

    What an earlier run of somebody else left to tell is told to nobody any more: a project that was
    received may hold anything there. The caller holds the project's lock. Raises `DatabaseError`.
    """
    with reading(project.database) as connection:
        path = run_file(project, projects.project(connection).uid)
    if path.is_file():
        return
    with writing(project.database) as connection:
        notices.drop_waiting(connection)
        dead = progress.supervisor(connection)
        if dead is not None:
            add_death(connection, dead, lambda kind: [])
    with suppress(OSError):  # then nobody but the run itself tells its end
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(project.folder) + b"\n")  # for people who look


def run_file(project: Project, uid: str) -> Path:
    """Return the file that exists if this user has run the project where it lies now.

    A project that came from somebody else calls no hook of this user before that.
    """
    digest = hashlib.sha256(json.dumps([uid, str(project.folder)]).encode()).hexdigest()
    return state_folder() / "own-runs" / digest[:32]


def tell_what_is_due(project: Project) -> None:
    """Tell this user that their run was killed, and what else waits since then.

    It is told once, whoever calls this and how often. Where the database is busy or may not be
    written, whoever looks next tells it.
    """
    with suppress(DatabaseError):
        with reading(project.database) as connection:
            run = progress.supervisor(connection)
            waits = bool(notices.waiting(connection))
            uid = projects.project(connection).uid
        died = run is not None and find_live_run(project, run) == LiveRun()
        if not (died or waits) or not run_file(project, uid).is_file():
            return
        if run is not None and died:
            with writing(project.database) as connection:
                # Read again, since it may have ended in order before its lock was looked at.
                dead = progress.supervisor(connection)
                if dead is not None and end_key(dead) == end_key(run):
                    add_death(connection, dead, hooks_for)
                waits = bool(notices.waiting(connection))
        if waits:
            start_notifier(project)


def add_death(
    connection: Connection,
    dead: SupervisorRow,
    hooks_for: Callable[[NoticeKind], Sequence[str]],
) -> None:
    """Add the notice that a run died, for these hooks."""
    counts = progress.tasks_by_state(progress.task_sums(connection))
    left = counts["pending"] + counts["running"]
    notice = death_notice(dead, left, progress.last_finished(connection), time.time())
    notices.add(connection, [notice], hooks_for)
