"""What a request changes, as it was before: kept with the answer, so that it can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from db.rows import Redo, TaskErrorCause, TaskRow
from engine.requests.kinds import (
    AskAgain,
    Exclude,
    Flag,
    Number,
    Rate,
    Reason,
    Request,
    Retry,
    SettingsHash,
    Skip,
)
from engine.state.project_state import ProjectState
from engine.state.reconcile import file_size, log_path

UNDOABLE_KINDS = (Retry.kind, AskAgain.kind, Skip.kind, Exclude.kind, Flag.kind, Rate.kind)
"""Kinds of requests whose changes are kept."""
MAX_KEPT = 5_000
"""The most tasks, flags or ratings that are kept of one request: some 600 kB in the database."""


class TaskBefore(msgspec.Struct, frozen=True, array_like=True):
    """A task as it was, and by what one can see whether something came after."""

    id: Number
    attempt: Number
    """The number of its attempts, which the request did not change."""
    state_after: str
    bytes_after: Number
    """The size of its log once the request was carried out."""
    bytes_before: Number
    state: Literal["pending", "done", "failed", "skipped"]
    redo: Redo
    redo_from: Number
    left: Number
    asked: Number
    strikes: Number
    not_before: float
    finished: float | None
    error: str | None
    error_cause: TaskErrorCause | None

    @property
    def is_log_cut(self) -> bool:
        """True if rows of its log are to be taken away."""
        return self.bytes_before < self.bytes_after


class Before(msgspec.Struct, frozen=True):
    """What a request has changed, as it was before. It is stored as JSON in the request's row."""

    tasks: Sequence[TaskBefore] = ()
    records: Sequence[tuple[Number, Number, bool]] = ()
    """(shard number, index, True if the record was flagged)."""
    ratings: Sequence[tuple[Number, Number, Number, SettingsHash, bool | None, Reason]] = ()
    """(shard number, index, model id, settings hash, True if the caption was rated good, False if
    bad, None if it was not rated, the reason)."""
    is_whole: bool = True
    """False if it was too much to be kept."""

    def __bool__(self) -> bool:
        return bool(self.tasks or self.records or self.ratings) or not self.is_whole


class Changes:
    """Sees what a request changes: it is made before that, and asked after it."""

    def __init__(self, project_state: ProjectState, request: Request) -> None:
        self.project_state = project_state
        self.tasks: dict[int, TaskRow] = {}
        """The tasks that the request names, as they were, by id."""
        self.sizes: Mapping[int, int] = {}
        """The sizes of their logs, where the request may write to these."""
        self.flags = project_state.flags
        self.ratings = project_state.ratings
        ids: list[int] = []
        match request:
            case Retry() | Skip():
                ids = list(request.tasks)
            case Exclude() | AskAgain():
                ids = [task_id for task_id, _ in request.records]
        known = project_state.ledger.tasks
        self.tasks = {task_id: known[task_id] for task_id in ids if task_id in known}
        if isinstance(request, Exclude | AskAgain):
            self.sizes = self.log_sizes()

    def log_sizes(self) -> dict[int, int]:
        """Return the sizes of the tasks' logs in bytes, by id."""
        return {
            task_id: file_size(log_path(self.project_state, task))
            for task_id, task in self.tasks.items()
        }

    def before(self) -> Before:
        """Return what was changed, as it was before."""
        tasks, records, ratings = self.tasks_before(), self.flags_before(), self.ratings_before()
        if max(len(tasks), len(records), len(ratings)) > MAX_KEPT:
            return Before(is_whole=False)
        return Before(tasks, records, ratings)

    def tasks_before(self) -> list[TaskBefore]:
        """Return the changed tasks as they were. One that was running has gone on since."""
        sizes_after = self.log_sizes() if self.sizes else {}
        found = []
        for task_id, before in self.tasks.items():
            after = self.project_state.ledger[task_id]
            bytes_before = self.sizes.get(task_id, after.log_bytes)
            bytes_after = sizes_after.get(task_id, after.log_bytes)
            if after is before or before.state == "running" or bytes_before > bytes_after:
                continue
            task = TaskBefore(
                id=task_id,
                attempt=after.attempt,
                state_after=after.state,
                bytes_after=bytes_after,
                bytes_before=bytes_before,
                state=before.state,
                redo=before.redo,
                redo_from=before.redo_from,
                left=before.left,
                asked=before.asked,
                strikes=before.strikes,
                not_before=before.not_before,
                finished=before.finished,
                error=before.error,
                error_cause=before.error_cause,
            )
            found.append(task)
        return found

    def flags_before(self) -> list[tuple[int, int, bool]]:
        """Return the records whose flags have changed."""
        changed = self.flags ^ self.project_state.flags
        return [(*key, key in self.flags) for key in sorted(changed)]

    def ratings_before(self) -> list[tuple[int, int, int, str, bool | None, str]]:
        """Return the captions whose ratings have changed."""
        before, after = self.ratings, self.project_state.ratings
        if before is after:
            return []
        keys = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
        return [(*key, *(before.get(key) or (None, ""))) for key in sorted(keys)]
