"""Which rows of the table of states a simulation has taken, and which pairs one after the other.

The rows are those of docs/architecture.md, "States of a task", by the beginning of their first
cell. What happened is told from the facts that the deciding functions were given and from what
they returned, not from what the generator of faults meant to do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from db.connection import DatabaseBusy, DatabaseDamaged
from db.rows import TaskRow
from engine.project.caption_log import CaptionLog
from engine.requests import handlers, kinds
from engine.state import reconcile
from engine.state.model_backoff import ModelBackoff
from engine.state.project_state import ProjectState
from engine.state.task_ledger import TaskLedger
from engine.supervisor import model_loading, task_runner, worker_exit
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.dispatcher import Dispatcher
from engine.supervisor.exit_rules import ExitFacts, ExitVerdict
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.server_outages import ServerOutages
from engine.supervisor.supervisor import Supervisor
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.watchdog import Watchdog
from tests.sim.rows import row_of_exit, row_of_finish, rows_of_request

Call = Callable[..., Any]
"""A function that decides, as an observer gets it."""
PAGE = Path(__file__).parents[2] / "docs/architecture.md"


def rows_of_page() -> list[str]:
    """Return the first cell of every row of the tables of states, without code marks.

    The rows for the start of a run have two such cells, which tell one from another together.
    """
    section = PAGE.read_text().partition("## States of a task")[2]
    begin, start, rest = re.split(r"### The start of a run|### Requests of people", section)
    cells = re.findall(r"^\| (.+?) \|", begin + rest, flags=re.MULTILINE)
    both = re.findall(r"^\| (.+? \| .+?) \|", start, flags=re.MULTILINE)
    heads = ("Event", "Request", "The database has")
    return [
        cell.replace("`", "") for cell in (*cells, *both) if not cell.startswith((*heads, "---"))
    ]


class Coverage:
    """Counts of rows, and of pairs of rows that one task took one after the other."""

    def __init__(self) -> None:
        self.rows = rows_of_page()
        self.rows_by_beginning: dict[str, str] = {}
        self.unsynced = False
        """True if the last rows of the attempt that ends now could not be synced."""
        self.completing = False
        """True while a task is completed."""
        self.new_captions = False
        """True if captions were found that are new to the scorer whose attempt ends now."""
        self.taken: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.last: dict[tuple[int, int], str] = {}
        """The row that each task took last, by (number of the schedule, task id)."""
        self.schedule = 0

    def take(self, beginning: str, task_id: int | None = None) -> None:
        """Note that the row with this beginning was taken, for a task or for none."""
        row = self.row_of(beginning)
        self.taken[row] += 1
        if task_id is not None:
            before = self.last.get((self.schedule, task_id))
            if before is not None:
                self.pairs[before, row] += 1
            self.last[self.schedule, task_id] = row

    def row_of(self, beginning: str) -> str:
        if beginning not in self.rows_by_beginning:
            matches = [row for row in self.rows if row.startswith(beginning)]
            assert len(matches) == 1, (beginning, matches)
            self.rows_by_beginning[beginning] = matches[0]
        return self.rows_by_beginning[beginning]

    def missed(self) -> list[str]:
        """Return the rows that were not taken."""
        return [row for row in self.rows if not self.taken[row]]

    def next_schedule(self) -> None:
        self.schedule += 1
        self.last.clear()

    def watch(self, stack: ExitStack) -> None:
        """Have the deciding functions tell what they decide, until `stack` is closed."""
        for owner, name, observer in (
            (worker_exit, "judge_exit", self.on_exit),
            (model_loading, "judge_load_failure", self.on_load_failure),
            (TaskRunner, "start_task", self.on_start),
            (TaskRunner, "on_rows", self.on_rows),
            (TaskRunner, "end_attempt", self.on_end),
            (TaskRunner, "must_wait_for_server", self.on_wait),
            (TaskRunner, "on_write_error", self.on_write_error),
            (TaskRunner, "complete_task", self.on_complete_task),
            (task_runner, "complete_if_whole", self.on_complete),
            (task_runner, "count_scores", self.on_count_scores),
            (TaskLedger, "reopen_scoring", self.on_reopen_scoring),
            (CaptionLog, "take_back", self.on_take_back),
            (ModelBackoff, "on_answer", self.on_answer),
            (ProjectState, "commit", self.on_commit),
            (ModelLoader, "on_batch_changed", self.on_batch_changed),
            (ModelLoader, "on_loaded", self.on_loaded),
            (ModelLoader, "on_load_failed", self.on_load_failed),
            (ModelLoader, "on_unavailable", self.on_unavailable_load),
            (ModelLoader, "fail_tasks_of_blocked_models", self.on_blocked),
            (ServerOutages, "on_lost_alone", self.on_lost_alone),
            (DevicePool, "rest", self.on_rest),
            (Dispatcher, "start_worker", self.on_start_worker),
            (Watchdog, "abandon", self.on_abandon),
            (Watchdog, "lose_device", self.on_lose_device),
            (DevicePool, "update_devices", self.on_devices),
            (Supervisor, "on_root_lost", self.on_root_lost),
            (Supervisor, "check_lock", self.on_check_lock),
            (Supervisor, "shut_down", self.on_shut_down),
            (reconcile, "check_done_task", self.on_reconcile_done),
            (reconcile, "catch_up", self.on_catch_up),
            (handlers, "dispatch", self.on_request),
        ):
            stack.enter_context(patch.object(owner, name, observed(owner, name, observer)))

    # Observers: each gets the function, calls it, and tells the row

    def on_exit(self, call: Call, facts: ExitFacts, *rest: Any) -> ExitVerdict:
        verdict: ExitVerdict = call(facts, *rest)
        self.take(row_of_exit(facts, verdict))
        return verdict

    def on_load_failure(self, call: Call, *arguments: Any) -> Any:
        self.take("load_failed, kind checkpoint or error")
        return call(*arguments)

    def on_start(self, call: Call, runner: TaskRunner, *rest: Any) -> None:
        task_id = rest[1]
        call(runner, *rest)
        task = runner.project_state.ledger[task_id]
        if task.state == "failed" and task.error_cause in (
            "shard_missing",
            "shard_changed",
            "shard_unreadable",
        ):
            self.take("The shard file is missing, unreadable", task_id)
        elif task.error_cause == "cannot_write":
            self.take("The caption log or the shard file cannot be opened", task_id)
        else:
            self.take("A free worker has the task's model", task_id)

    def on_rows(self, call: Call, runner: TaskRunner, worker: Any, m: Any) -> Any:
        attempt = worker.attempt
        stale, rows = worker.stale_rows, attempt.rows if attempt else 0
        appended = call(runner, worker, m)
        if worker.stale_rows > stale or (attempt and attempt.dropped):
            self.take("Rows arrive with the number of an old", attempt.task.id if attempt else None)
        if attempt and attempt.rows > rows:
            self.take("Rows arrive for the running attempt", attempt.task.id)
        return appended

    def on_end(
        self,
        call: Call,
        runner: TaskRunner,
        worker: Any,
        kind: str,
        *rest: Any,
        **named: Any,
    ) -> None:
        attempt = worker.attempt
        outer, self.unsynced = self.unsynced, False
        self.new_captions = False
        call(runner, worker, kind, *rest, **named)
        unsynced, self.unsynced = self.unsynced, outer
        if attempt is None:
            return
        task = runner.project_state.ledger[attempt.task.id]
        if kind == "finished" and self.new_captions:
            self.take("The last missing row of a scorer arrives", task.id)
        elif kind == "finished":
            self.take(row_of_finish(task, unsynced), task.id)
        elif kind == "server_unavailable" and attempt.outstanding:
            self.take("unavailable while captioning", task.id)
        elif kind == "shard_changed":
            self.take("The shard file is written to", task.id)
        elif kind == "taken_back":
            self.take("exclude named records of a running task", task.id)

    def on_wait(self, call: Call, *arguments: Any) -> Any:
        waits = call(*arguments)
        if waits:
            self.take("The server has a suspect alone or is about to get one")
        return waits

    def on_write_error(self, call: Call, runner: TaskRunner, error: OSError, *rest: Any) -> None:
        self.unsynced = not self.completing
        full = error.errno in task_runner.NO_SPACE
        self.take("The disk is full" if full else "The project cannot be written")
        call(runner, error, *rest)

    def on_take_back(self, call: Call, log: CaptionLog) -> None:
        self.take("A caption log cannot be synced")
        call(log)

    def on_complete_task(self, call: Call, *arguments: Any) -> None:
        self.completing = True
        try:
            call(*arguments)
        finally:
            self.completing = False

    def on_complete(self, call: Call, state: Any, task: TaskRow, *rest: Any) -> None:
        call(state, task, *rest)
        now = state.ledger[task.id]
        if now.error_cause == "log_incomplete":
            self.take("The same, but the log is not complete when it is read back", task.id)
        elif task.model_id in state.ledger.scorers and now.state == "pending":
            self.new_captions = True

    def on_count_scores(self, call: Call, state: ProjectState) -> None:
        task = state.ledger.next_uncounted()
        call(state)
        if task is not None:
            is_done = state.ledger[task.id].state == "done"
            row = "The log of such a pending task" if is_done else "The same, and a caption has no"
            self.take(row, task.id)

    def on_reopen_scoring(self, call: Call, ledger: TaskLedger, shard: int, *rest: Any) -> None:
        rows = {
            "pending": "The last open task of the shard's captioners closes",
            "done": "The same, and the scorer's task is done",
            "running": "The same, and the scorer's task is running",
        }
        for task_id in ledger.scoring[shard]:
            if (state := ledger[task_id].state) in rows:
                self.take(rows[state], task_id)
        call(ledger, shard, *rest)

    def on_loaded(self, call: Call, *arguments: Any) -> None:
        self.take("loaded")
        call(*arguments)

    def on_load_failed(self, call: Call, loader: Any, worker: Any, m: Any) -> None:
        if m.kind == "memory":
            self.take("load_failed, kind memory")
        call(loader, worker, m)

    def on_unavailable_load(self, call: Call, loader: Any, worker: Any, m: Any) -> None:
        if worker.state == "loading":
            self.take("unavailable as the answer to a load")
        call(loader, worker, m)

    def on_answer(self, call: Call, backoff: ModelBackoff, model_id: int) -> None:
        if backoff.project_state.models[model_id].unavailable is not None:
            self.take("The first caption after an outage")
        call(backoff, model_id)

    def on_batch_changed(self, call: Call, loader: Any, worker: Any, m: Any) -> None:
        if m.cause == "out_of_memory":
            self.take("A batch of more than one image runs out of memory")
        call(loader, worker, m)

    def on_commit(self, call: Call, state: ProjectState, supervisor: Any = None) -> None:
        try:
            call(state, supervisor)
        except DatabaseBusy:
            if supervisor is not None:
                self.take("The database is busy at a commit")
            raise
        except DatabaseDamaged:
            self.take("The database is damaged")
            raise

    def on_blocked(self, call: Call, loader: ModelLoader) -> None:
        before = loader.project_state.ledger.states["failed"]
        call(loader)
        if loader.project_state.ledger.states["failed"] > before:
            self.take("A model is blocked")

    def on_lost_alone(
        self, call: Call, outages: Any, worker: Any, attempt: Any, *rest: Any
    ) -> None:
        poison = rest[1].poison
        call(outages, worker, attempt, *rest)
        row = "The same, the third time" if poison else "The same, the first and second time"
        self.take(row, attempt.task.id)

    def on_rest(self, call: Call, pool: Any, device: str) -> None:
        if device in pool.devices:
            self.take("A device begins to rest")
        call(pool, device)

    def on_start_worker(self, call: Call, dispatcher: Any, device: Any) -> None:
        workers = len(dispatcher.workers)
        call(dispatcher, device)
        if len(dispatcher.workers) == workers:
            self.take("A worker cannot be started")

    def on_abandon(self, call: Call, watchdog: Any, worker: Any) -> None:
        if worker.attempt is not None:
            self.take("The worker still exists 60 s after SIGKILL", worker.attempt.task.id)
        call(watchdog, worker)

    def on_lose_device(self, call: Call, watchdog: Any, device: str, reason: str) -> None:
        if "GPU" in reason:
            self.take("The driver no longer finds the GPU")
        call(watchdog, device, reason)

    def on_devices(self, call: Call, *arguments: Any) -> Any:
        left = call(*arguments)
        if left:
            self.take("The node leaves the cluster")
        return left

    def on_root_lost(self, call: Call, supervisor: Any, worker: Any, m: Any) -> None:
        attempt, paused = worker.attempt, supervisor.project_state.settings.paused
        call(supervisor, worker, m)
        if attempt is not None and worker.attempt is None:
            now_paused = supervisor.project_state.settings.paused and not paused
            row = (
                "The same, but no other machine" if now_paused else "root_lost: images are missing"
            )
            self.take(row, attempt.task.id)

    def on_check_lock(self, call: Call, supervisor: Any) -> None:
        if not supervisor.lock.intact():
            self.take("The project folder was moved")
        call(supervisor)

    def on_shut_down(self, call: Call, supervisor: Any) -> None:
        if supervisor.stopping == "now":
            self.take("stop, Ctrl-C, SIGTERM")
        elif supervisor.stopping:
            self.take("stop after the running shards")
        call(supervisor)

    def on_reconcile_done(self, call: Call, state: Any, task: TaskRow, *rest: Any) -> None:
        call(state, task, *rest)
        now = state.ledger[task.id]
        if now is task:
            self.take("done | has the saved size", task.id)
        elif now.state == "done":
            self.take("done | begins with the bytes of the saved digest", task.id)
        else:
            self.take("done | is missing or was changed", task.id)

    def on_catch_up(self, call: Call, state: Any, task: TaskRow, log: Path, now: float) -> None:
        shorter = reconcile.file_size(log) < task.redo_from
        call(state, task, log, now)
        if shorter:
            self.take("any that is counted again | is shorter", task.id)
        if state.ledger[task.id].error_cause == "log_incomplete":
            self.take("running or pending | was complete", task.id)
        elif task.state == "running":
            self.take("running (the supervisor was killed", task.id)
        elif task.state == "pending":
            self.take("pending | has another size", task.id)
        elif task.state in ("failed", "skipped"):
            self.take("failed, skipped | has another size", task.id)

    def on_request(self, call: Call, state: Any, request: Any, supervisor: Any) -> Any:
        tasks = [state.ledger.tasks.get(t) for t in getattr(request, "tasks", ())]
        before = {task.id: task for task in tasks if task is not None}
        answer = call(state, request, supervisor)
        for row in rows_of_request(request, answer, supervisor is not None):
            self.take(row)
        if isinstance(request, kinds.AskAgain) and "asked again" in answer.text:
            self.take("ask again for captions with defects")
        if isinstance(request, kinds.Undo) and answer.text.startswith("undone"):
            self.take("undo of the last retry, skip or exclude")
        if isinstance(request, kinds.Retry):
            self.on_retry(request, before, state)
        if isinstance(request, kinds.Recheck):
            self.on_recheck(before, state)
        if isinstance(request, kinds.Skip):
            for task_id, task in before.items():
                if state.ledger[task_id].state != task.state:
                    self.take("skip" if request.skip else "unskip", task_id)
        return answer

    def on_recheck(self, before: dict[int, TaskRow], state: Any) -> None:
        for task_id, task in before.items():
            now = state.ledger[task_id]
            if now.state == "failed" and now is not task:
                self.take("recheck, and the shard file is damaged", task_id)
            elif (now.digest, now.log_mtime_ns) != (task.digest, task.log_mtime_ns):
                self.take("recheck, by whoever found damage", task_id)

    def on_retry(self, request: kinds.Retry, before: dict[int, TaskRow], state: Any) -> None:
        for task_id, task in before.items():
            if task.state == "running":
                self.take("retry of a running shard", task_id)
            elif request.failed_items and state.ledger[task_id] is not task:
                self.take("retry of failed records", task_id)
            elif task.state in ("pending", "skipped") and not request.failed_items:
                self.take("retry of a pending or skipped shard", task_id)
            elif not request.failed_items:
                self.take(f"retry of a {task.state} shard", task_id)
        if before:
            self.take("any retry")


def observed(owner: Any, name: str, observer: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of that name, called by way of the observer."""
    original = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        return observer(original, *arguments, **named)

    return call
