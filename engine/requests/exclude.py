"""Giving up on records: they are failed and known, and are not asked for again.

The caption log says so, as it does of everything about captions; an export counts them among the
failed, never among the missing.
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
from engine.state.reconcile import finish, log_of
from engine.state.task_ledger import LogCounts
from engine.utils.plurals import plural


@dataclass(slots=True)
class Changed:
    """What became of a request; several are added up."""

    records: int = 0
    shards: int = 0
    running: int = 0
    """Shards that were left alone because they are running."""
    trouble: str = ""

    def add(self, other: Changed) -> None:
        for entry in fields(Changed):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))

    def sentence(self, exclude: bool) -> str:
        done = "excluded" if exclude else "taken back in"
        said = [f"{done}: {plural(self.records, 'record')} of {plural(self.shards, 'shard')}"]
        if not self.records:
            said = [f"nothing to {'exclude' if exclude else 'take back'}"]
        if self.running:
            said.append(f"still running, ask again later: {plural(self.running, 'shard')}")
        return "; ".join([*said, *filter(None, [self.trouble])])

    def note(self) -> str:
        """As the answer to a request, which `of_note` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def of_note(cls, note: str) -> Changed:
        return cls(**json.loads(note))


def excluded(project_state: ProjectState, task_ids: Sequence[int]) -> dict[int, int]:
    """Excluded records by task, where there are any."""
    with reading(project_state.project.database) as connection:
        counts = failures.counts_of(connection, EXCLUDED_KIND)
    for task_id, rows in project_state.failures.items():  # not saved yet
        counts[task_id] = sum(row.count for row in rows if row.kind == EXCLUDED_KIND)
    return {task_id: counts[task_id] for task_id in task_ids if counts.get(task_id)}


def exclude(
    project_state: ProjectState,
    chosen: Iterable[tuple[int, Sequence[int] | None]],
    kind: str | None = None,
    exclude: bool = True,
    take_back: Callable[[int], None] | None = None,
) -> Changed:
    """Of each task these records, or None for all that failed with `kind`.

    A task of which records are named is taken back from its worker, by a run that can do that.
    """
    changed = Changed()
    for task_id, places in chosen:
        if places is not None and take_back is not None:
            take_back(task_id)
        if project_state.ledger[task_id].state == "running":
            changed.running += 1
            continue
        try:
            records = in_task(project_state, task_id, places, kind, exclude)
        except DiskFull:
            changed.trouble = "the disk is full"
            break
        changed.add(Changed(records, int(records > 0)))
    if changed.records:
        project_state.event("info", changed.sentence(exclude))
    return changed


def in_task(
    project_state: ProjectState,
    task_id: int,
    places: Sequence[int] | None,
    kind: str | None,
    exclude: bool,
) -> int:
    task = project_state.ledger[task_id]
    log = CaptionLog(log_of(project_state, task), task.count, task.redo, task.redo_from)
    try:
        if places is None:
            places = [i for i, row in log.errors.items() if kind in (None, row["error"])]
        changed = log.exclude(places, exclude)
        log.sync()
    finally:
        log.close()
    if not changed:
        return 0
    now = time.time()
    counts = LogCounts(log.captioned, log.failed, log.left, log.rows, log.size)
    project_state.ledger.count(task_id, counts, now)
    project_state.failures[task_id] = group_failures(task_id, log.errors)
    if task.state == "done" or (task.state != "skipped" and not log.left):
        finish(project_state, project_state.ledger[task_id], now)
    return changed
