"""What is done about everything that failed for one cause, or about single failed records."""

from __future__ import annotations

from collections.abc import Sequence

from db import failures
from db.connection import reading
from db.failures import Cause, Grouping
from engine.operations import run_control
from engine.project.caption_log import EXCLUDED_KIND
from engine.project.layout import Project
from engine.project.selectors import select_tasks
from engine.requests.exclude import Changed
from engine.utils.errors import BadInput, Refused

AT_A_TIME = 50
"""Tasks a request, so that the run goes on meanwhile."""

Records = Sequence[tuple[int, Sequence[int] | None]]
"""Of each task the places of records, None for all of them."""


def causes_of(project: Project, by: Grouping = "cause") -> tuple[Cause, ...]:
    with reading(project.database) as connection:
        return failures.causes(connection, by)


def cause_named(project: Project, kind: str) -> Cause:
    """Raises `BadInput`."""
    causes = causes_of(project)
    found = next((cause for cause in causes if cause.kind == kind), None)
    if found is None:
        known = ", ".join(repr(cause.kind) for cause in causes)
        raise BadInput(f"nothing failed as {kind!r}" + (f": there is {known}" if known else ""))
    return found


def tasks_of(project: Project, cause: Cause) -> list[int]:
    with reading(project.database) as connection:
        return list(failures.tasks_of(connection, cause))


def retry_cause(project: Project, cause: Cause) -> str:
    """Failed shards as a whole; of failed records those of every shard where it occurs."""
    if cause.kind == EXCLUDED_KIND:
        exclude_cause(project, cause, exclude=False)
    of_records = cause.scope == "record"
    return run_control.ask(
        project, "retry", tasks=tasks_of(project, cause), failed_items=of_records
    )


def exclude_cause(project: Project, cause: Cause, exclude: bool = True) -> str:
    """Raises `BadInput` for a cause that is not of records."""
    if cause.scope != "record":
        raise BadInput("only records can be excluded; 'skip' leaves out a shard")
    chosen = [(task, None) for task in tasks_of(project, cause)]
    return exclude_records(project, chosen, cause.kind, exclude)


def exclude_records(
    project: Project, chosen: Records, kind: str | None = None, exclude: bool = True
) -> str:
    """Gives up on failed records, or takes them back. Raises `Refused`, saying what was done."""
    changed = Changed()
    for place in range(0, len(chosen), AT_A_TIME):
        part = list(chosen[place : place + AT_A_TIME])
        try:
            note = run_control.ask(
                project, "exclude", records=part, failed_as=kind, exclude=exclude
            )
            changed.add(Changed.of_note(note))
        except Refused as error:
            changed.trouble = str(error)
        if changed.trouble:
            break
    if changed.trouble or not changed.records:
        raise Refused(changed.sentence(exclude))
    return changed.sentence(exclude)


def records_named(
    project: Project, shard: int, records: Sequence[int], models: Sequence[str]
) -> list[tuple[int, list[int]]]:
    """These records of a shard, of every model unless some are named. Raises `BadInput`."""
    return [(task, list(records)) for task in select_tasks(project, [shard], models)]
