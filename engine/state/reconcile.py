"""On start: what the files say, against what the database believes."""

from __future__ import annotations

import time
from pathlib import Path

from db import supervisor_writes
from db.rows import TaskRow
from engine.project import caption_log
from engine.state.completion import Incomplete, complete
from engine.state.failure_rows import group_failures
from engine.state.project_state import ProjectState
from engine.state.task_ledger import LogCounts


def reconcile(project_state: ProjectState) -> None:
    """Brings the ledger up to the caption logs. Raises `OSError`."""
    now = time.time()
    project_state.writes.append(
        lambda connection: supervisor_writes.close_attempts(connection, now, "lost")
    )
    for task in list(project_state.ledger.tasks.values()):
        log = log_of(project_state, task)
        if task.state == "done":
            check_done(project_state, task, log, now)
        elif task.state == "running" or size_of(log) != task.log_bytes:
            catch_up(project_state, task, log, now)


def log_of(project_state: ProjectState, task: TaskRow) -> Path:
    return project_state.project.log_file(project_state.models[task.model_id], task.shard)


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def catch_up(project_state: ProjectState, task: TaskRow, log: Path, now: float) -> None:
    """Counts what the log holds, cuts its torn tail, and ends a task that turns out whole."""
    size = size_of(log)
    if size < task.redo_from:  # what it lost is missing anyhow, wherever it is written now
        task = project_state.ledger.change(task.id, now, redo_from=size)
    opened = caption_log.CaptionLog(log, task.count, task.redo, task.redo_from)
    opened.close()
    if opened.foreign:
        project_state.event(
            "warn",
            f"{opened.foreign} lines of {log.name} are no rows of its shard and are passed over",
            model=project_state.models[task.model_id].name,
            shard=task.shard,
        )
    counts = LogCounts(opened.captioned, opened.failed, opened.left, opened.rows, opened.size)
    project_state.ledger.count(task.id, counts, now)
    project_state.failures[task.id] = group_failures(task.id, opened.errors)
    if task.state == "running":
        project_state.ledger.release(task.id, now)
    if not opened.left and project_state.ledger[task.id].state == "pending":
        finish(project_state, task, now)


def check_done(project_state: ProjectState, task: TaskRow, log: Path, now: float) -> None:
    """A done task whose log is missing or changed is pending again."""
    try:
        status = log.stat()
        if status.st_size == task.log_bytes and (
            status.st_mtime_ns == task.log_mtime_ns or caption_log.file_digest(log) == task.digest
        ):
            return
    except FileNotFoundError:
        pass
    model = project_state.models[task.model_id]
    project_state.event(
        "warn",
        "the caption log of a finished shard is missing or was changed: what it lacks is redone",
        model=model.name,
        shard=task.shard,
    )
    project_state.ledger.change(
        task.id, now, state="pending", digest=None, left=task.count, redo_from=0
    )
    catch_up(project_state, project_state.ledger[task.id], log, now)


def finish(project_state: ProjectState, task: TaskRow, now: float) -> None:
    """Marks a task done whose log holds every record. Raises `OSError`.

    A log that does not hold what was written to it puts the task back.
    """
    model = project_state.models[task.model_id]
    log = log_of(project_state, task)
    try:
        completed, contents = complete(log, task.count, model.family, project_state.shearing)
    except Incomplete as error:
        project_state.event("fail", str(error), model=model.name, shard=task.shard)
        project_state.ledger.strike(task.id, now, added_rows=False, error=str(error))
        return
    project_state.failures[task.id] = group_failures(task.id, contents.errors)
    project_state.ledger.done(
        task.id,
        now,
        digest=completed.digest,
        rows=completed.rows,
        log_bytes=completed.log_bytes,
        log_mtime_ns=completed.log_mtime_ns,
        captioned=completed.captioned,
        failed=completed.failed,
        empty=completed.empty,
    )
