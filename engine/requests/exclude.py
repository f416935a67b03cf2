"""The request to exclude records, or to take excluded ones back in.

An excluded record stays counted as failed and is never sent to a worker again. The caption log says
so, as it does of everything about captions; an export counts such records among the failed, never
among the missing.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from db import failures
from db.connection import reading
from engine.project.caption_log import CaptionLog
from engine.project.log_rows import EXCLUDED_KIND
from engine.requests.all_or_nothing import all_or_nothing
from engine.requests.answers import ExcludeResult
from engine.requests.kinds import Exclude
from engine.requests.named_tasks import known_tasks
from engine.requests.running_supervisor import RunningSupervisor
from engine.state.damaged_log import check_log
from engine.state.failure_rows import group_failures
from engine.state.project_state import ProjectState
from engine.state.reconcile import complete_if_whole, log_path
from engine.utils.errors import RequestRefused
from engine.utils.plain_files import remove_files


def excluded_counts(project_state: ProjectState, task_ids: Sequence[int]) -> dict[int, int]:
    """Return the number of excluded records by task id, for those tasks that have any.

    Raises `DatabaseError`.
    """
    with reading(project_state.project.database) as connection:
        counts = failures.failed_counts(connection, EXCLUDED_KIND)
    for task_id, rows in project_state.failures.items():  # not saved yet
        counts[task_id] = sum(row.count for row in rows if row.kind == EXCLUDED_KIND)
    return {task_id: counts[task_id] for task_id in task_ids if counts.get(task_id)}


def exclude(
    project_state: ProjectState, request: Exclude, supervisor: RunningSupervisor | None
) -> ExcludeResult:
    """Exclude records, or take them back in. Raises `RequestRefused`.

    A task with named records is taken back from its worker, if a supervisor runs; other running
    tasks are left alone. The first task whose files cannot be read or written ends it: nothing is
    changed in that task, and the result says why.
    """
    result = ExcludeResult()
    task_ids = known_tasks(project_state, (task_id for task_id, _ in request.records))
    if len(task_ids) < len(request.records):
        raise RequestRefused("records: a task is named twice")
    for task_id, indexes in request.records:
        if indexes is not None and supervisor is not None:
            supervisor.cancel_task(task_id)
        task = project_state.ledger[task_id]
        if task.state == "running":
            result += ExcludeResult(running=1)
            continue
        try:
            changed = exclude_in_task(project_state, task_id, indexes, request)
        except OSError as error:
            result += ExcludeResult(trouble=describe_trouble(task.shard, error))
            break
        result += ExcludeResult(records=changed, shards=int(changed > 0))
    if result.records:
        project_state.event("info", result.summary(request.exclude))
    return result


def describe_trouble(shard: int, error: OSError) -> str:
    """Return as text why the records of a shard could not be excluded."""
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return f"the captions of shard {shard:05} cannot be changed: {error}"


def exclude_in_task(
    project_state: ProjectState, task_id: int, indexes: Sequence[int] | None, request: Exclude
) -> int:
    """Do what `exclude` does for one task that is not running. Returns how many records changed.

    A task that lacks no record afterwards is completed; one whose log was damaged begins anew.
    Raises `OSError`, and then the log is as it was.
    """
    now = project_state.clock.time()
    path = log_path(project_state, project_state.ledger[task_id])
    task = check_log(project_state, project_state.ledger[task_id], path, now)
    is_new = not path.exists()
    wanted = project_state.wanted(task)
    log = CaptionLog(path, task.count, task.redo, task.redo_from, wanted)
    with all_or_nothing(log):
        if indexes is None:
            kind = request.failed_as
            indexes = [i for i, row in log.errors.items() if kind in (None, row.error)]
        changed = log.exclude(indexes, request.exclude)
        if not changed:
            if is_new:  # an empty log would count as captions from before
                remove_files(path.parent, [path.name])
            return 0
        log.sync()
        if task.state == "done" or (task.state != "skipped" and not log.left):
            complete_if_whole(project_state, task, now, wanted)
    if project_state.ledger[task_id].state != "done":
        project_state.ledger.change(task_id, now, digest=None)
    project_state.ledger.set_counts(task_id, log.counts, now)
    project_state.failures[task_id] = group_failures(task_id, log.errors)
    return changed
