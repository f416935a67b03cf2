"""The request to exclude records, or to take excluded ones back in.

An excluded record stays counted as failed and is never sent to a worker again. The caption log says
so, as it does of everything about captions; an export counts such records among the failed, never
among the missing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields

from db import failures
from db.connection import reading
from engine.project.caption_log import EXCLUDED_KIND, CaptionLog, DiskFull
from engine.state.failure_rows import group_failures
from engine.state.project_state import ProjectState
from engine.state.reconcile import complete_if_whole, log_path
from engine.state.task_ledger import LogCounts
from engine.utils.plurals import plural


@dataclass(slots=True)
class ExcludeResult:
    """The result of one exclude request; results of several requests are added up."""

    records: int = 0
    """Records that were excluded, or taken back in."""
    shards: int = 0
    """Tasks with such records."""
    running: int = 0
    """Tasks that were left alone because they are running."""
    trouble: str = ""
    """Why not all of it was done, as text; empty if all was."""

    def add(self, other: ExcludeResult) -> None:
        """Add the numbers and the text of another result to this one."""
        for entry in fields(ExcludeResult):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))

    def summary(self, exclude: bool) -> str:
        """Return the result as text; `exclude` is False if records were taken back in."""
        done = "excluded" if exclude else "taken back in"
        parts = [f"{done}: {plural(self.records, 'record')} of {plural(self.shards, 'shard')}"]
        if not self.records:
            parts = [f"nothing to {'exclude' if exclude else 'take back'}"]
        if self.running:
            parts.append(f"still running, ask again later: {plural(self.running, 'shard')}")
        return "; ".join([*parts, *filter(None, [self.trouble])])

    def to_note(self) -> str:
        """Return the result as the JSON that is the request's answer."""
        return json.dumps(asdict(self))

    @classmethod
    def from_note(cls, note: str) -> ExcludeResult:
        """Read what `to_note` wrote."""
        return cls(**json.loads(note))


def excluded_counts(project_state: ProjectState, task_ids: Sequence[int]) -> dict[int, int]:
    """Return the number of excluded records by task id, for those tasks that have any."""
    with reading(project_state.project.database) as connection:
        counts = failures.failed_counts(connection, EXCLUDED_KIND)
    for task_id, rows in project_state.failures.items():  # not saved yet
        counts[task_id] = sum(row.count for row in rows if row.kind == EXCLUDED_KIND)
    return {task_id: counts[task_id] for task_id in task_ids if counts.get(task_id)}


def exclude(
    project_state: ProjectState,
    chosen: Iterable[tuple[int, Sequence[int] | None]],
    kind: str | None = None,
    exclude: bool = True,
    cancel_task: Callable[[int], None] | None = None,
) -> ExcludeResult:
    """Exclude records, or take them back in if `exclude` is False.

    `chosen` are pairs of a task id and indexes of its records, or None for all records that failed
    with `kind` (with any kind if that is None). A task with named records is taken back from its
    worker by `cancel_task`, if a supervisor runs; other running tasks are left alone.
    """
    result = ExcludeResult()
    for task_id, indexes in chosen:
        if indexes is not None and cancel_task is not None:
            cancel_task(task_id)
        if project_state.ledger[task_id].state == "running":
            result.running += 1
            continue
        try:
            records = exclude_in_task(project_state, task_id, indexes, kind, exclude)
        except DiskFull:
            result.trouble = "the disk is full"
            break
        result.add(ExcludeResult(records, int(records > 0)))
    if result.records:
        project_state.event("info", result.summary(exclude))
    return result


def exclude_in_task(
    project_state: ProjectState,
    task_id: int,
    indexes: Sequence[int] | None,
    kind: str | None,
    exclude: bool,
) -> int:
    """Do what `exclude` does for one task that is not running. Returns how many records changed.

    A task that lacks no record afterwards is completed. Raises `DiskFull`.
    """
    task = project_state.ledger[task_id]
    log = CaptionLog(log_path(project_state, task), task.count, task.redo, task.redo_from)
    try:
        if indexes is None:
            indexes = [i for i, row in log.errors.items() if kind in (None, row["error"])]
        changed = log.exclude(indexes, exclude)
        log.sync()
    finally:
        log.close()
    if not changed:
        return 0
    now = time.time()
    counts = LogCounts(log.captioned, log.failed, log.left, log.rows, log.size)
    project_state.ledger.set_counts(task_id, counts, now)
    project_state.failures[task_id] = group_failures(task_id, log.errors)
    if task.state == "done" or (task.state != "skipped" and not log.left):
        complete_if_whole(project_state, project_state.ledger[task_id], now)
    return changed
