"""Bringing tasks up to what the caption logs on disk hold, which are the truth about captions.

`reconcile` does it for all tasks when a run starts; `complete_if_whole` is the one way by which a
task becomes done.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from db import supervisor_writes
from db.rows import FailureRow, TaskRow
from engine.project import caption_log
from engine.project.finished_log import is_unchanged
from engine.project.log_rows import Wanted
from engine.state.completion import (
    CompletedLog,
    IncompleteLog,
    NewCaptions,
    complete_log,
    complete_score_log,
)
from engine.state.damaged_log import check_log
from engine.state.failure_rows import group_failures
from engine.state.project_state import ProjectState
from engine.utils import plain_files


def reconcile(project_state: ProjectState) -> None:
    """Bring the ledger up to the caption logs when a run starts. Raises `OSError`.

    Attempts that an earlier supervisor left open are ended as "lost".
    """
    now = project_state.clock.time()
    close_attempts(project_state)
    for task in list(project_state.ledger.tasks.values()):
        log = log_path(project_state, task)
        if task.state == "done":
            check_done_task(project_state, task, log, now)
        elif task.state == "running" or file_size(log) != task.log_bytes or lacks_nothing(task):
            if task.state == "pending" and task.model_id in project_state.ledger.scorers:
                project_state.ledger.uncounted.add(task.id)  # which takes longer (`count_scores`)
            else:
                catch_up(project_state, task, log, now)
        project_state.fail_if_imported(task.id, now)


def close_attempts(project_state: ProjectState) -> None:
    """End the attempts that an earlier supervisor left open."""
    ended = project_state.left_open_at()
    project_state.writes.append(
        lambda connection: supervisor_writes.close_attempts(connection, ended, "lost")
    )


def lacks_nothing(task: TaskRow) -> bool:
    """Return True for a pending task that only waits to be done, as an import leaves it behind.

    A process that was killed had it reopened, so that it could append to a finished log. A retried
    task is none of these: a worker must look at its shard again.
    """
    return task.state == "pending" and task.left == 0 and task.redo == "all"


def take_over_running_tasks(project_state: ProjectState) -> None:
    """Bring the tasks that a killed supervisor left running up to their caption logs.

    The caller holds the lock, so that nothing runs. A task whose log cannot be read now becomes
    pending as it is: the next run counts its log.
    """
    running = [task for task in project_state.ledger.tasks.values() if task.state == "running"]
    if not running:
        return
    now = project_state.clock.time()
    close_attempts(project_state)
    for task in running:
        try:
            catch_up(project_state, task, log_path(project_state, task), now)
        except OSError:
            if project_state.ledger[task.id].state == "running":
                project_state.ledger.release(task.id, project_state.left_open_at())


def log_path(project_state: ProjectState, task: TaskRow) -> Path:
    """Return the path of the task's caption log."""
    return project_state.project.caption_log_file(project_state.models[task.model_id], task.shard)


def file_size(path: Path) -> int:
    """Return the file's size in bytes, 0 if there is no such file."""
    try:
        return plain_files.status(path).st_size
    except FileNotFoundError:
        return 0


def catch_up(project_state: ProjectState, task: TaskRow, log: Path, now: float) -> None:
    """Take over what the log holds, and cut its torn tail.

    A running task, whose worker is gone, becomes pending; a pending task whose log turns out whole
    becomes done. Raises `OSError`.
    """
    if task.digest is not None:  # rows came after a retry of a finished shard
        check_log(project_state, task, log, now)
        task = project_state.ledger.change(task.id, now, digest=None)
    size = file_size(log)
    if size < task.redo_from:  # what it lost is missing anyhow, wherever it is written now
        task = project_state.ledger.change(task.id, now, redo_from=size)
    wanted = project_state.wanted(task)
    opened = caption_log.CaptionLog(log, task.count, task.redo, task.redo_from, wanted)
    try:
        opened.sync()  # a killed supervisor may not have come to it; what is counted must last
    finally:
        opened.close()
    if opened.foreign:
        project_state.event(
            "warn",
            f"{opened.foreign} lines of {log.name} are no rows of its shard and are passed over",
            model=project_state.models[task.model_id].name,
            shard=task.shard,
        )
    project_state.ledger.set_counts(task.id, opened.counts, now)
    project_state.failures[task.id] = group_failures(task.id, opened.errors)
    if task.state == "running":
        project_state.ledger.release(task.id, project_state.left_open_at())
    if not opened.left and project_state.ledger[task.id].state == "pending":
        complete_if_whole(project_state, task, now, wanted)


def count_scores(project_state: ProjectState) -> None:
    """See whether the captions of one shard are new to a scorer, whose task may be done at once.

    Only one task at a time: it takes half a second for 10,000 records of four models, during which
    workers wait. Raises `OSError`.
    """
    task = project_state.ledger.next_uncounted()
    if task is None:
        return
    catch_up(project_state, task, log_path(project_state, task), project_state.clock.time())
    project_state.ledger.on_counted(task.id)


def check_done_task(project_state: ProjectState, task: TaskRow, log: Path, now: float) -> None:
    """Have a done task captioned again if its log is missing or was changed. Raises `OSError`."""
    if not is_unchanged(log, task):
        check_log(project_state, task, log, now)


def complete_if_whole(
    project_state: ProjectState, task: TaskRow, now: float, wanted: Wanted | None = None
) -> None:
    """Read the task's log back, and mark the task done if every record has its row.

    A log that does not hold what was written to it gives the task a strike. A scorer's task for
    which captions came meanwhile is pending again; `wanted` are its texts if they were just read.
    Raises `OSError`.
    """
    model = project_state.models[task.model_id]
    log = log_path(project_state, task)
    wanted, rows = wanted or project_state.wanted(task), project_state.ledger[task.id].rows
    try:
        if wanted is not None:
            completed, contents = complete_score_log(log, task.count, wanted, rows)
        else:
            family, shearing = model.family, project_state.shearing
            completed, contents = complete_log(log, task.count, family, shearing)
    except NewCaptions as new:
        project_state.ledger.release(task.id, now)
        project_state.ledger.change(task.id, now, left=new.records)
        return
    except IncompleteLog as error:
        project_state.event("fail", str(error), model=model.name, shard=task.shard)
        project_state.ledger.strike(
            task.id, now, added_rows=False, error=str(error), cause="log_incomplete"
        )
        project_state.fail_if_imported(task.id, now)
        return
    failures = group_failures(task.id, contents.errors)
    record_completed(project_state, task.id, completed, failures, now)


def record_completed(
    project_state: ProjectState,
    task_id: int,
    completed: CompletedLog,
    failures: Sequence[FailureRow],
    now: float,
) -> None:
    """Mark a task done whose log was read back whole, with what was found there."""
    project_state.failures[task_id] = failures
    project_state.ledger.mark_done(
        task_id,
        now,
        digest=completed.digest,
        rows=completed.rows,
        log_bytes=completed.log_bytes,
        log_mtime_ns=completed.log_mtime_ns,
        captioned=completed.captioned,
        failed=completed.failed,
        empty=completed.empty,
    )
