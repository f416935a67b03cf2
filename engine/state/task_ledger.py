"""The tasks of a project in memory and the moves they may make (DESIGN §6).

Pure: no files, no processes, and every method is told the time. The supervisor, the only writer
of task state, saves what changed about once a second.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from db.rows import TaskRow
from engine.state.policy import Policy


@dataclass(frozen=True, slots=True)
class LogCounts:
    """What a caption log holds."""

    captioned: int
    failed: int
    left: int
    rows: int
    log_bytes: int


class TaskLedger:
    def __init__(self, tasks: Iterable[TaskRow], policy: Policy) -> None:
        self.policy = policy
        self.tasks: dict[int, TaskRow] = {}
        self.saved: dict[int, TaskRow] = {}
        """What the database still says of tasks that changed since."""
        self.states: Counter[str] = Counter()
        self.pending_left: Counter[int] = Counter()
        """Records of pending tasks, by model."""
        self.waiting: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        """Heaps of (-priority, shard, task) by model; stale entries are dropped when met."""
        self.delayed: set[int] = set()
        for task in tasks:
            self.put(task)

    def __getitem__(self, task_id: int) -> TaskRow:
        return self.tasks[task_id]

    def put(self, task: TaskRow) -> None:
        before = self.tasks.get(task.id)
        if before is not None:
            self.states[before.state] -= 1
            if before.state == "pending":
                self.pending_left[before.model_id] -= before.left
        self.tasks[task.id] = task
        self.states[task.state] += 1
        if task.state == "pending":
            self.pending_left[task.model_id] += task.left
            if before is None or key(before) != key(task) or before.state != "pending":
                heapq.heappush(self.waiting[task.model_id], key(task))

    def change(self, task_id: int, now: float, **values: Any) -> TaskRow:
        before = self.tasks[task_id]
        self.saved.setdefault(task_id, before)
        task = replace(before, updated=now, **values)
        self.put(task)
        return task

    def changed(self) -> list[tuple[TaskRow, TaskRow]]:
        """Tasks as (as last saved, as they are now)."""
        return [(before, self.tasks[task_id]) for task_id, before in self.saved.items()]

    @property
    def finished(self) -> bool:
        return not self.states["pending"] and not self.states["running"]

    def due(self, task: TaskRow, now: float) -> bool:
        # A not-before beyond any delay means that the clock was set back.
        return not now < task.not_before <= now + self.policy.longest_delay

    def next_task(self, model_id: int, now: float) -> TaskRow | None:
        """The pending task of the model that should start next, left where it is."""
        heap = self.waiting[model_id]
        for task_id in [t for t in self.delayed if self.due(self.tasks[t], now)]:
            self.delayed.discard(task_id)
            heapq.heappush(self.waiting[self.tasks[task_id].model_id], key(self.tasks[task_id]))
        while heap:
            task = self.tasks[heap[0][2]]
            if task.state != "pending" or key(task) != heap[0]:
                heapq.heappop(heap)
            elif not self.due(task, now):
                heapq.heappop(heap)
                self.delayed.add(task.id)
            else:
                return task
        return None

    def start(self, task_id: int, device: str, now: float) -> TaskRow:
        return self.change(
            task_id,
            now,
            state="running",
            attempt=self.tasks[task_id].attempt + 1,
            device=device,
            started=now,
            finished=None,
            error=None,
        )

    def count(self, task_id: int, counts: LogCounts, now: float) -> TaskRow:
        return self.change(
            task_id,
            now,
            captioned=counts.captioned,
            failed=counts.failed,
            left=counts.left,
            rows=counts.rows,
            log_bytes=counts.log_bytes,
        )

    def release(self, task_id: int, now: float, error: str | None = None) -> TaskRow:
        """Back to pending without a strike: nothing that the task did."""
        task = self.tasks[task_id]
        return self.change(
            task_id, now, state="pending", seconds=task.seconds + ran(task, now), error=error
        )

    def strike(self, task_id: int, now: float, added_rows: bool, error: str) -> TaskRow:
        """Back to pending, later; or failed, if it got nowhere too often."""
        task = self.tasks[task_id]
        seconds = task.seconds + ran(task, now)
        if added_rows:
            return self.change(
                task_id,
                now,
                state="pending",
                strikes=0,
                not_before=0.0,
                seconds=seconds,
                error=error,
            )
        strikes = task.strikes + 1
        if strikes >= self.policy.strikes:
            return self.fail(task_id, now, error, strikes=strikes)
        return self.change(
            task_id,
            now,
            state="pending",
            strikes=strikes,
            not_before=now + self.policy.delay(strikes),
            seconds=seconds,
            error=error,
        )

    def fail(self, task_id: int, now: float, error: str, **values: Any) -> TaskRow:
        task = self.tasks[task_id]
        seconds = task.seconds + ran(task, now)
        return self.change(
            task_id, now, state="failed", finished=now, seconds=seconds, error=error, **values
        )

    def done(self, task_id: int, now: float, **values: Any) -> TaskRow:
        """`values`: digest, log_bytes, log_mtime_ns, rows, captioned, failed, empty."""
        task = self.tasks[task_id]
        return self.change(
            task_id,
            now,
            state="done",
            left=0,
            redo="all",
            redo_from=0,
            strikes=0,
            not_before=0.0,
            finished=now,
            seconds=task.seconds + ran(task, now),
            error=None,
            **values,
        )

    def retry(self, task_id: int, now: float, failed_items: bool, excluded: int = 0) -> bool:
        """Asks for a shard again, or only for what has no caption; False if there is nothing to do.

        Captions stay in the log and count until they are replaced; `excluded` of the failed
        records are not asked for.
        """
        task = self.tasks[task_id]
        if task.state == "running" or (failed_items and task.failed <= excluded):
            return False
        being_redone = task.redo == "all" and task.redo_from > 0 and task.left > 0
        redo: dict[str, Any] = {}
        if task.state == "done" and not failed_items:
            redo = {"redo": "all", "redo_from": task.log_bytes, "left": task.count - excluded}
        elif (failed_items or task.state == "failed") and not being_redone:
            left = task.count - task.captioned - excluded
            redo = {"redo": "failed", "redo_from": task.log_bytes, "left": left}
        again = {"strikes": 0, "not_before": 0.0, "error": None, "digest": None, "finished": None}
        self.change(task_id, now, state="pending", **again, **redo)
        return True

    def restart(self, task_id: int, now: float) -> TaskRow:
        """As if nothing had been captioned, in a log of its own; a skipped task stays skipped."""
        task = self.tasks[task_id]
        return self.change(
            task_id,
            now,
            state="skipped" if task.state == "skipped" else "pending",
            captioned=0,
            failed=0,
            empty=0,
            left=task.count,
            redo="all",
            redo_from=0,
            rows=0,
            log_bytes=0,
            log_mtime_ns=0,
            digest=None,
            strikes=0,
            not_before=0.0,
            started=None,
            finished=None,
            error=None,
        )

    def prioritise(self, task_id: int, now: float, by: int) -> bool:
        """Tasks of a higher priority start first; only what waits can be moved."""
        task = self.tasks[task_id]
        if task.state != "pending":
            return False
        self.change(task_id, now, priority=task.priority + by)
        return True

    def skip(self, task_id: int, now: float, skip: bool) -> bool:
        """pending or failed to skipped, and skipped back to pending."""
        state = self.tasks[task_id].state
        if skip and state in ("pending", "failed"):
            self.change(task_id, now, state="skipped")
        elif not skip and state == "skipped":
            self.change(task_id, now, state="pending", strikes=0, not_before=0.0)
        else:
            return False
        return True


def key(task: TaskRow) -> tuple[int, int, int]:
    return (-task.priority, task.shard, task.id)


def ran(task: TaskRow, now: float) -> float:
    """Seconds of the running attempt; never negative, whatever the clock did."""
    if task.state != "running" or task.started is None:
        return 0.0
    return max(0.0, now - task.started)
