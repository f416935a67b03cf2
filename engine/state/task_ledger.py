"""The tasks of a project in memory and the state changes that they may make (docs/architecture.md,
"States of a task").

Pure: no files and no processes, and every method is told the time (`now`, seconds since the epoch).
The supervisor, the only writer of task state, saves what changed about once a second.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from dataclasses import replace
from typing import Any

from db.rows import TaskErrorCause, TaskRow
from engine.project.caption_log import LogCounts
from engine.state.policy import Policy


class TaskLedger:
    """All tasks by id, sums over them, and a queue of pending tasks for each model.

    A scorer's task of a shard starts once no captioner's task of that shard is open (pending or
    running), and is pending again whenever the last of them has closed: captions may be new.
    """

    def __init__(
        self, tasks: Iterable[TaskRow], policy: Policy, scorers: Set[int] = frozenset()
    ) -> None:
        """Take over all tasks; `scorers` are the ids of the models that score captions."""
        self.policy = policy
        self.scorers = scorers
        self.tasks: dict[int, TaskRow] = {}
        self.last_saved: dict[int, TaskRow] = {}
        """Tasks that changed since the last commit, as the database still has them."""
        self.states: Counter[str] = Counter()
        """Number of tasks by state."""
        self.pending: Counter[int] = Counter()
        """Number of pending tasks, by model id."""
        self.pending_left: Counter[int] = Counter()
        """Records left in pending tasks, by model id."""
        self.queues: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        """Heaps of `queue_key` by model id. An entry goes stale when its task changes, and is
        dropped when it comes to the top."""
        self.delayed: set[int] = set()
        """Ids of tasks that left their queue because they are not due yet."""
        self.open_captioning: Counter[int] = Counter()
        """Number of open tasks of captioners, by shard."""
        self.scoring: defaultdict[int, list[int]] = defaultdict(list)
        """Ids of the tasks of scorers, by shard."""
        self.held: set[int] = set()
        """Ids of scorers' tasks that left their queue because their shard is still captioned."""
        self.uncounted: set[int] = set()
        """Ids of scorers' pending tasks of which it is not known yet whether a caption is new."""
        for task in tasks:
            self.put(task)

    def __getitem__(self, task_id: int) -> TaskRow:
        return self.tasks[task_id]

    def put(self, task: TaskRow) -> None:
        """Store the task's newest state and bring sums and queues up to date."""
        before = self.tasks.get(task.id)
        if before is not None:
            self.states[before.state] -= 1
            if before.state == "pending":
                self.pending[before.model_id] -= 1
                self.pending_left[before.model_id] -= before.left
        if task.model_id not in self.scorers:
            was_open = before is not None and is_open(before)
            self.open_captioning[task.shard] += is_open(task) - was_open
        elif before is None:
            self.scoring[task.shard].append(task.id)
        self.tasks[task.id] = task
        self.states[task.state] += 1
        if task.state == "pending":
            self.pending[task.model_id] += 1
            self.pending_left[task.model_id] += task.left
            if before is None or queue_key(before) != queue_key(task) or before.state != "pending":
                heapq.heappush(self.queues[task.model_id], queue_key(task))

    def change(self, task_id: int, now: float, **values: Any) -> TaskRow:
        """Set fields of the task by name, and return the changed task."""
        before = self.tasks[task_id]
        self.last_saved.setdefault(task_id, before)
        task = replace(before, updated=now, **values)
        self.put(task)
        is_captioned = task.model_id not in self.scorers and not self.open_captioning[task.shard]
        if is_captioned and may_have_new_captions(before, task):
            self.reopen_scoring(task.shard, now)
        return task

    def reopen_scoring(self, shard: int, now: float) -> None:
        """Have the scorers of a shard look for captions that are new, since some may be.

        Tasks that are done are pending again; those that wait for the captions may start.
        """
        for task_id in self.scoring[shard]:
            task = self.tasks[task_id]
            if task.state == "done":
                self.change(task_id, now, state="pending", finished=None)
                self.uncounted.add(task_id)
            elif task_id in self.held:
                self.held.discard(task_id)
                heapq.heappush(self.queues[task.model_id], queue_key(task))

    def next_uncounted(self) -> TaskRow | None:
        """Return a scorer's task whose log is to be counted anew; None if there is none now.

        What is still to be captioned is waited for.
        """
        waiting = (self.tasks[task_id] for task_id in self.uncounted)
        ready = (t for t in waiting if t.state == "pending" and not self.open_captioning[t.shard])
        return min(ready, key=lambda task: (task.shard, task.id), default=None)

    def on_counted(self, task_id: int) -> None:
        """Let a task start whose log was counted anew, if it lacks something."""
        self.uncounted.discard(task_id)
        self.held.discard(task_id)
        task = self.tasks[task_id]
        if task.state == "pending":
            heapq.heappush(self.queues[task.model_id], queue_key(task))

    def waiting_for_captions(self, model_id: int) -> int:
        """Return the number of a scorer's pending tasks whose shards are still captioned."""
        shards = (shard for shard in self.scoring if self.open_captioning[shard])
        tasks = (self.tasks[task_id] for shard in shards for task_id in self.scoring[shard])
        return sum(task.model_id == model_id and task.state == "pending" for task in tasks)

    def is_held(self, task: TaskRow) -> bool:
        """Return True if a scorer's task must wait for captions, or for the count of new ones."""
        if task.model_id not in self.scorers:
            return False
        return self.open_captioning[task.shard] > 0 or task.id in self.uncounted

    def changed(self) -> list[tuple[TaskRow, TaskRow]]:
        """Return the changed tasks as pairs (as last saved, as they are now)."""
        return [(before, self.tasks[task_id]) for task_id, before in self.last_saved.items()]

    @property
    def finished(self) -> bool:
        """True if no task is pending or running."""
        return not self.states["pending"] and not self.states["running"]

    @property
    def last_finished(self) -> float | None:
        """When the last task became done or failed; None if none has."""
        times = (task.finished for task in self.tasks.values() if task.finished is not None)
        return max(times, default=None)

    def is_due(self, task: TaskRow, now: float) -> bool:
        """Return True if the task's delay is over, or it has none.

        A task that the database still has as done is not due before the next commit: what stands
        behind the recorded part of a finished log counts as damage.
        """
        saved = self.last_saved.get(task.id)
        if saved is not None and saved.state == "done":
            return False
        # A not-before beyond any delay means that the clock was set back.
        return not now < task.not_before <= now + self.policy.longest_delay

    def next_task(self, model_id: int, now: float) -> TaskRow | None:
        """Return the pending task of the model that should start next, or None.

        The task stays in its queue until it is started.
        """
        heap = self.queues[model_id]
        for task_id in [t for t in self.delayed if self.is_due(self.tasks[t], now)]:
            self.delayed.discard(task_id)
            task = self.tasks[task_id]
            heapq.heappush(self.queues[task.model_id], queue_key(task))
        while heap:
            task = self.tasks[heap[0][2]]
            if task.state != "pending" or queue_key(task) != heap[0]:
                heapq.heappop(heap)
            elif self.is_held(task):
                heapq.heappop(heap)
                self.held.add(task.id)
            elif not self.is_due(task, now):
                heapq.heappop(heap)
                self.delayed.add(task.id)
            else:
                return task
        return None

    def start(self, task_id: int, device: str, now: float) -> TaskRow:
        """pending -> running, as the task's next attempt. Its log is to grow, without a digest."""
        return self.change(
            task_id,
            now,
            state="running",
            digest=None,
            attempt=self.tasks[task_id].attempt + 1,
            device=device,
            started=now,
            finished=None,
            error=None,
            error_cause=None,
        )

    def set_counts(self, task_id: int, counts: LogCounts, now: float) -> TaskRow:
        """Take over what the task's caption log holds; the state stays."""
        return self.change(
            task_id,
            now,
            captioned=counts.captioned,
            failed=counts.failed,
            left=counts.left,
            rows=counts.rows,
            log_bytes=counts.log_bytes,
        )

    def release(
        self,
        task_id: int,
        now: float,
        error: str | None = None,
        cause: TaskErrorCause | None = None,
    ) -> TaskRow:
        """running -> pending without a strike: the attempt ended through no fault of the task.

        `error` says why, as a text for people, and `cause` as a value.
        """
        task = self.tasks[task_id]
        return self.change(
            task_id,
            now,
            state="pending",
            seconds=task.seconds + running_seconds(task, now),
            error=error,
            error_cause=cause,
        )

    def strike(
        self,
        task_id: int,
        now: float,
        added_rows: bool,
        error: str | None,
        cause: TaskErrorCause | None,
    ) -> TaskRow:
        """running -> pending with a delay, or failed if the task got nowhere too often.

        An attempt that added rows clears strikes and delay instead.
        """
        task = self.tasks[task_id]
        seconds = task.seconds + running_seconds(task, now)
        if added_rows:
            return self.change(
                task_id,
                now,
                state="pending",
                strikes=0,
                not_before=0.0,
                seconds=seconds,
                error=error,
                error_cause=cause,
            )
        strikes = task.strikes + 1
        if strikes >= self.policy.strikes:
            return self.fail(task_id, now, error, cause, strikes=strikes)
        return self.change(
            task_id,
            now,
            state="pending",
            strikes=strikes,
            not_before=now + self.policy.delay(strikes),
            seconds=seconds,
            error=error,
            error_cause=cause,
        )

    def fail(
        self,
        task_id: int,
        now: float,
        error: str | None,
        cause: TaskErrorCause | None,
        **values: Any,
    ) -> TaskRow:
        """Any state -> failed, setting other fields by name as well."""
        task = self.tasks[task_id]
        seconds = task.seconds + running_seconds(task, now)
        return self.change(
            task_id,
            now,
            state="failed",
            finished=now,
            seconds=seconds,
            error=error,
            error_cause=cause,
            **values,
        )

    def mark_done(self, task_id: int, now: float, **values: Any) -> TaskRow:
        """Any state -> done, with what was found when the log was read back.

        `values`: digest, log_bytes, log_mtime_ns, rows, captioned, failed, empty.
        """
        task = self.tasks[task_id]
        return self.change(
            task_id,
            now,
            state="done",
            left=0,
            asked=0,
            redo="all",
            redo_from=0,
            strikes=0,
            not_before=0.0,
            finished=task.finished if task.state == "done" else now,
            seconds=task.seconds + running_seconds(task, now),
            error=None,
            error_cause=None,
            **values,
        )

    def retry(self, task_id: int, now: float, failed_items: bool, excluded: int = 0) -> bool:
        """Ask for a whole shard again, or with `failed_items` for what has no caption.

        Captions stay in the log and count until they are replaced. Its digest stays, too, until the
        log grows: what it held must not be damaged meanwhile. `excluded` is how many of the
        failed records are excluded: those are not asked for. Returns False, and changes nothing,
        if the task is running or there is nothing to ask for.
        """
        task = self.tasks[task_id]
        if task.state == "running" or (failed_items and task.failed <= excluded):
            return False
        being_redone = task.redo == "all" and task.redo_from > 0 and task.left > 0
        redo: dict[str, Any] = {}
        if task.state == "done" and not failed_items:
            asked = task.count - excluded
            redo = {"redo": "all", "redo_from": task.log_bytes, "left": asked, "asked": asked}
        elif (failed_items or task.state == "failed") and not being_redone:
            left = task.count - task.captioned - excluded
            redo = {"redo": "failed", "redo_from": task.log_bytes, "left": left, "asked": left}
        self.change(
            task_id,
            now,
            state="pending",
            strikes=0,
            not_before=0.0,
            error=None,
            error_cause=None,
            finished=None,
            **redo,
        )
        return True

    def ask_again(self, task_id: int, now: float, asked: int) -> None:
        """Have a task that is done, or waits, ask for what its log says; its counts follow.

        `asked` are the records that are asked for again, beside those that were before.
        """
        task = self.tasks[task_id]
        in_first_round = task.state == "pending" and not task.asked
        self.change(
            task_id,
            now,
            state="pending",
            asked=0 if in_first_round else task.asked + asked,
            digest=None,
            strikes=0,
            not_before=0.0,
            error=None,
            error_cause=None,
            finished=None,
        )

    def restart(self, task_id: int, now: float) -> TaskRow:
        """Begin the task anew, as if nothing had been captioned, in a log of its own.

        A skipped task stays skipped.
        """
        task = self.tasks[task_id]
        return self.change(
            task_id,
            now,
            state="skipped" if task.state == "skipped" else "pending",
            captioned=0,
            failed=0,
            empty=0,
            left=task.count,
            asked=0,
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
            error_cause=None,
        )

    def prioritise(self, task_id: int, now: float, by: int) -> bool:
        """Raise a pending task's priority by `by`: tasks of a higher priority start first.

        Returns False, and changes nothing, if the task is not pending.
        """
        task = self.tasks[task_id]
        if task.state != "pending":
            return False
        self.change(task_id, now, priority=task.priority + by)
        return True

    def skip(self, task_id: int, now: float, skip: bool) -> bool:
        """pending or failed -> skipped, or without `skip`, skipped -> pending.

        Returns False, and changes nothing, from any other state.
        """
        state = self.tasks[task_id].state
        if skip and state in ("pending", "failed"):
            self.change(task_id, now, state="skipped")
        elif not skip and state == "skipped":
            self.change(task_id, now, state="pending", strikes=0, not_before=0.0)
        else:
            return False
        return True


def is_open(task: TaskRow) -> bool:
    """Return True if the task is pending or running."""
    return task.state in ("pending", "running")


def may_have_new_captions(before: TaskRow, task: TaskRow) -> bool:
    """Return True if a captioner's task that is not open may have other captions than before."""
    return not is_open(task) and (is_open(before) or task.rows != before.rows)


def queue_key(task: TaskRow) -> tuple[int, int, int]:
    """Return what a model's pending tasks are ordered by: priority, then shard."""
    return (-task.priority, task.shard, task.id)


def running_seconds(task: TaskRow, now: float) -> float:
    """Return how long a running attempt has lasted; never negative, whatever the clock did."""
    if task.state != "running" or task.started is None:
        return 0.0
    return max(0.0, now - task.started)
