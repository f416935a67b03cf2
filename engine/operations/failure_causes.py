"""Failures by cause: listing them, and retrying or excluding all that failed for one cause.

Single failed records are excluded here, too. Every change is a request to the run.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from db import failures
from db.connection import reading
from db.failures import Cause, Grouping
from engine.operations import run_control
from engine.operations.retry_check import check_retry
from engine.project.layout import Project
from engine.project.log_rows import EXCLUDED_KIND
from engine.project.selectors import parse_record_keys, select_tasks
from engine.requests.answers import ExcludeResult
from engine.requests.kinds import Exclude, Retry
from engine.utils.clock import Clock
from engine.utils.errors import BadInput, RequestRefused

TASKS_PER_REQUEST = 50
"""The number of tasks in one request: between two requests the run goes on."""

RecordSelection = Sequence[tuple[int, Sequence[int] | None]]
"""For each task, by its id, the indices of records in its shard; None means all of them."""


def read_causes(project: Project, by: Grouping = "cause") -> tuple[Cause, ...]:
    """Return what failed in the project, grouped by cause, or by cause and model or shard."""
    with reading(project.database) as connection:
        return failures.causes(connection, by)


def find_cause(project: Project, kind: str) -> Cause:
    """Return the cause of this kind. Raises `BadInput` if nothing failed for it."""
    causes = read_causes(project)
    match = next((cause for cause in causes if cause.kind == kind), None)
    if match is None:
        known = ", ".join(repr(cause.kind) for cause in causes)
        others = f"the causes are {known}" if known else "nothing failed in this project"
        raise BadInput(f"no failure has the cause {kind!r}: {others}")
    return match


def tasks_with_cause(project: Project, cause: Cause) -> list[int]:
    """Return the ids of the tasks in which something failed for this cause."""
    with reading(project.database) as connection:
        return list(failures.tasks_with_cause(connection, cause))


def retry_cause(project: Project, cause: Cause) -> str:
    """Retry what failed for a cause, and return the reply.

    A cause of whole shards retries these; a cause of records retries all failed records of the
    shards in which it occurs. Raises `RequestRefused`.
    """
    tasks = tasks_with_cause(project, cause)
    if cause.scope == "record" and cause.kind == EXCLUDED_KIND:
        exclude_cause(project, cause, exclude=False)  # after that, the cause has no tasks any more
    if cause.scope == "record":
        return retry_failed_records(project, tasks)
    return run_control.send_request(project, Retry(tasks=tasks)).text


def retry_failed_records(
    project: Project, tasks: Sequence[int], clock: Clock = run_control.SYSTEM_CLOCK
) -> str:
    """Retry the failed records of tasks, and return the reply.

    Tasks of whose failed records no image can be read are left as they are. Raises
    `RequestRefused`, also if these are all.
    """
    check = check_retry(project, tasks, clock)
    if check.hopeless and not check.worth:
        raise RequestRefused(check.refusal())
    request = Retry(tasks=check.worth, failed_items=True)
    return run_control.send_request(project, request).text + check.left()


def exclude_cause(project: Project, cause: Cause, exclude: bool = True) -> str:
    """Exclude the records that failed for a cause, or take them back; return what was done.

    Raises `BadInput` for a cause of whole shards, and `RequestRefused`.
    """
    if cause.scope != "record":
        raise BadInput("only records can be excluded; 'skip' leaves out a shard")
    chosen = [(task, None) for task in tasks_with_cause(project, cause)]
    return exclude_records(project, chosen, cause.kind, exclude)


def exclude_records(
    project: Project, chosen: RecordSelection, kind: str | None = None, exclude: bool = True
) -> str:
    """Exclude failed records, or take them back; return what was done.

    With `kind` only records whose last error is of this kind are changed. Raises `RequestRefused`,
    whose text says what was done before, if something was not, and `BadInput` if none of the
    records can be excluded or taken back.
    """
    total, series = ExcludeResult(), uuid.uuid4().hex
    for start in range(0, len(chosen), TASKS_PER_REQUEST):
        part = chosen[start : start + TASKS_PER_REQUEST]
        request = Exclude(records=part, failed_as=kind, exclude=exclude, series=series)
        try:
            answer = run_control.send_request(project, request)
        except RequestRefused as error:
            total += ExcludeResult(trouble=str(error))
        else:
            total += answer.result or ExcludeResult()
        if total.trouble:
            break
    if total.trouble or (total.running and not total.records):
        raise RequestRefused(total.summary(exclude))
    if not total.records:
        raise BadInput(total.summary(exclude))
    return total.summary(exclude)


def select_records(
    project: Project, shard: int, records: Sequence[int], models: Sequence[str]
) -> list[tuple[int, list[int]]]:
    """Return these records of a shard, in the tasks of the named models or of all.

    `records` are indices in the shard. Raises `BadInput`, also for an index that it does not have.
    """
    tasks = select_tasks(project, [shard], models)
    parse_record_keys(project, [f"{shard}:{i}" for i in records])
    return [(task, list(records)) for task in tasks]
