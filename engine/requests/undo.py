"""The request to take back what an earlier one has changed: a retry, skip, exclude, flag, rating.

A task is put back only if nothing came after: a run may have acted on it meanwhile, or a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from db import requests
from db.connection import reading
from db.rows import ORIGINAL_ID, Rating, RequestRow
from engine.project.caption_log import CaptionLog, LogCounts, counts_of, read_if_there
from engine.project.log_rows import parse_log
from engine.requests.answers import Answer
from engine.requests.changes import MAX_KEPT, Before, TaskBefore
from engine.requests.exclude import describe_trouble
from engine.requests.kinds import Undo
from engine.state.failure_rows import group_failures
from engine.state.project_state import ProjectState
from engine.state.reconcile import complete_if_whole, file_size, log_path
from engine.utils.errors import RequestRefused
from engine.utils.plain_files import remove_files
from engine.utils.plurals import plural

CHANGED_BY_CUT = ("state", "digest", *(field.name for field in fields(LogCounts)))
"""The fields of a task that change when its log is to be cut."""


def undo(project_state: ProjectState, request: Undo) -> str:
    """Put back what a request has changed, as far as nothing came after; return the answer as text.

    Raises `RequestRefused`, also if nothing can be put back.
    """
    row, before = read_changes(project_state, request.request)
    what = row.note or row.kind
    tasks = [task for task in before.tasks if is_as_left(project_state, task)]
    if before.tasks and not tasks:
        raise RequestRefused(f"cannot undo ({what}): the run went on with it since")
    undone, trouble = 0, ""
    try:
        count_without_cut_rows(project_state, [task for task in tasks if task.is_log_cut])
        for task in tasks:
            put_back(project_state, task)
            undone += 1
    except OSError as error:
        trouble = describe_trouble(project_state.ledger[tasks[undone].id].shard, error)
    if before.tasks and not undone:
        raise RequestRefused(f"cannot undo ({what}): {trouble}")
    put_marks_back(project_state, before)
    text = f"undone: {what}"
    if undone < len(before.tasks):
        left = plural(len(before.tasks) - undone, "task")
        text += f"; {left} left as they are: {trouble or 'the run went on with them since'}"
    if before.tasks:
        project_state.event("info", text)
    return text


def read_changes(project_state: ProjectState, request_id: int) -> tuple[RequestRow, Before]:
    """Return a request and what was there before it. Raises `RequestRefused`."""
    with reading(project_state.project.database) as connection:
        row = requests.find(connection, request_id)
    before = None if row is None else Answer.of_row(row).before
    if row is None or before is None or row.state != "done":
        raise RequestRefused(f"there is no request {request_id} that can be undone")
    if not before.is_whole:
        raise RequestRefused(
            f"cannot undo ({row.note}): it changed more than {MAX_KEPT:,} shards or captions"
        )
    unknown = next((t.id for t in before.tasks if t.id not in project_state.ledger.tasks), None)
    if unknown is not None:
        raise RequestRefused(f"there is no task {unknown}")
    return row, before


def is_as_left(project_state: ProjectState, before: TaskBefore) -> bool:
    """Return True if nothing came after the request that changed a task."""
    task = project_state.ledger[before.id]
    size = file_size(log_path(project_state, task)) if before.is_log_cut else task.log_bytes
    is_sound = before.state != "done" or before.is_log_cut or task.digest is not None
    now = (task.state, task.attempt, size)
    return is_sound and now == (before.state_after, before.attempt, before.bytes_after)


def count_without_cut_rows(project_state: ProjectState, cut: Sequence[TaskBefore]) -> None:
    """Have the database count only what stays in logs that are to be cut, before they are.

    If this process were killed in between, or could not commit at the end, it would else count rows
    that are gone, and a log that is shorter than one with a recorded digest would count as damaged.
    Raises `OSError`, `DatabaseError`, and then nothing is changed.
    """
    ledger, now = project_state.ledger, project_state.clock.time()
    tasks = [ledger[before.id] for before in cut]
    counts = [counts_before(project_state, before) for before in cut]
    for task, of_task in zip(tasks, counts, strict=True):
        ledger.change(task.id, now, state="pending", digest=None)
        ledger.set_counts(task.id, of_task, now)
    try:
        if tasks:
            project_state.commit()
    except BaseException:
        for task in tasks:
            ledger.change(task.id, now, **{name: getattr(task, name) for name in CHANGED_BY_CUT})
        raise


def counts_before(project_state: ProjectState, before: TaskBefore) -> LogCounts:
    """Return the counts of a task's log without the rows that are to be cut. Raises `OSError`."""
    task = project_state.ledger[before.id]
    data = read_if_there(log_path(project_state, task))[: before.bytes_before]
    wanted = project_state.wanted(task)
    return counts_of(parse_log(data, task.count, before.redo_from, wanted), before.redo)


def put_back(project_state: ProjectState, before: TaskBefore) -> None:
    """Put a task back as it was. Raises `OSError`."""
    task, now = project_state.ledger[before.id], project_state.clock.time()
    names = ("redo", "redo_from", "left", "asked", "strikes", "not_before", "finished")
    state = "pending" if before.is_log_cut and before.state == "done" else before.state
    project_state.ledger.change(
        before.id,
        now,
        state=state,
        error=before.error,
        error_cause=before.error_cause,
        **{name: getattr(before, name) for name in names},
    )
    if before.is_log_cut:
        cut_log(project_state, before, log_path(project_state, task))


def cut_log(project_state: ProjectState, before: TaskBefore, path: Path) -> None:
    """Take away the rows that a request has added, and count what was before. Raises `OSError`."""
    task, now = project_state.ledger[before.id], project_state.clock.time()
    wanted = project_state.wanted(task)
    log = CaptionLog(path, task.count, before.redo, before.redo_from, wanted)
    try:
        log.cut(before.bytes_before)
    finally:
        log.close()
    log = CaptionLog(path, task.count, before.redo, before.redo_from, wanted)
    log.close()
    project_state.ledger.set_counts(task.id, log.counts, now)
    project_state.failures[task.id] = group_failures(task.id, log.errors)
    if not before.bytes_before:  # an empty log would count as captions from before
        remove_files(path.parent, [path.name])
    if before.state == "done":
        complete_if_whole(project_state, task, now, wanted)
        project_state.ledger.change(task.id, now, finished=before.finished)


def put_marks_back(project_state: ProjectState, before: Before) -> None:
    """Put flags and ratings back, of records and models that the project has."""

    def is_known(shard: int, i: int) -> bool:
        return shard in project_state.shards and i < project_state.shards[shard].count

    flags = {(shard, i): flagged for shard, i, flagged in before.records if is_known(shard, i)}
    if flags:
        flagged = {key for key, was_flagged in flags.items() if was_flagged}
        project_state.flag(flagged, flags.keys() - flagged)
    models = (ORIGINAL_ID, *project_state.models)
    ratings = {
        (shard, i, model, settings_hash): None if good is None else Rating(good, reason)
        for shard, i, model, settings_hash, good, reason in before.ratings
        if is_known(shard, i) and model in models
    }
    if ratings:
        rated = {key: rating for key, rating in ratings.items() if rating is not None}
        project_state.rate(rated, ratings.keys() - rated.keys())
