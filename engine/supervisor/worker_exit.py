"""The end of a worker: whose fault it was, and what becomes of its task."""

from __future__ import annotations

import time
from dataclasses import replace

from engine.launchers.base import WorkerExit
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.attempt import Attempt
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.worker_state import WorkerState

KILLS = (-9, -15)
"""Exit codes of a process that was killed from outside."""


class WorkerExitHandler:
    def __init__(
        self,
        project_state: ProjectState,
        device_pool: DevicePool,
        loading: ModelLoader,
        running: TaskRunner,
        suspects: PoisonDetector,
        policy: Policy,
    ) -> None:
        self.project_state = project_state
        self.device_pool = device_pool
        self.loading = loading
        self.running = running
        self.suspects = suspects
        self.policy = policy
        self.killed: set[int] = set()
        """Tasks whose worker was killed from outside once: that is not held against them."""

    def on_worker_exit(self, worker: WorkerState, ended: WorkerExit) -> None:
        row = replace(worker.row(time.monotonic()), ended=time.time(), task_id=None)
        self.project_state.workers[worker.handle.id] = row
        reason = why(worker, ended)
        attempt = worker.attempt
        lost = ended.lost is not None and worker.ending is None
        if lost:
            self.say(worker, reason)
            self.device_pool.count_death(worker.device)
        if lost or (worker.ending is not None and not worker.strikes):
            self.running.close(worker, "lost" if lost else "stopped", reason)
            if attempt is not None:
                self.project_state.ledger.release(attempt.task.id, time.time())
        else:
            self.say(worker, reason)
            if attempt is None:
                self.blame_device_or_model(worker, ended, reason)
            elif not self.judge(worker, attempt, ended, reason):
                self.device_pool.count_death(worker.device)
        if attempt is not None and self.project_state.ledger[attempt.task.id].left == 0:
            self.running.complete(attempt.task.id)

    def say(self, worker: WorkerState, reason: str) -> None:
        attempt = worker.attempt
        self.project_state.event(
            "warn",
            f"worker ended: {reason}",
            worker.device,
            attempt.model.name if attempt else None,
            attempt.shard.number if attempt else None,
        )

    def blame_device_or_model(self, worker: WorkerState, ended: WorkerExit, reason: str) -> None:
        if worker.load_failed:
            return
        if worker.state == "loading" and worker.model_id is not None and ended.code not in KILLS:
            self.loading.count_failure(worker.device, worker.model_id, reason)
        else:
            self.device_pool.count_death(worker.device)

    def judge(self, worker: WorkerState, attempt: Attempt, ended: WorkerExit, reason: str) -> bool:
        """Strikes the task where it may be to blame; whether one record of it was found guilty."""
        task_id, now, ledger = attempt.task.id, time.time(), self.project_state.ledger
        self.suspects.name(task_id, attempt.touched)
        proven = self.device_pool.is_proven(worker.device, attempt.model.id)
        alone = attempt.isolated_record in attempt.outstanding
        poison = alone and self.is_poison(worker, attempt, ended, proven)
        killed_first = ended.code == -9 and not worker.strikes and task_id not in self.killed
        if killed_first:
            self.killed.add(task_id)
        self.running.close(worker, "died", reason)
        on_trial = self.device_pool.on_trial(worker.device, attempt.model.id)
        if poison or killed_first or on_trial or worker.stuck or (alone and proven):
            ledger.release(task_id, now, reason)
            return poison
        ledger.strike(task_id, now, attempt.rows > 0, reason)
        if self.suspects.records.get(task_id):
            # One of the suspects may be the cause: they run alone, and without delay.
            ledger.change(task_id, now, not_before=0.0)
        return False

    def is_poison(
        self, worker: WorkerState, attempt: Attempt, ended: WorkerExit, proven: bool
    ) -> bool:
        """Whether the record that was alone is to blame; it is failed then."""
        i, task = attempt.isolated_record, attempt.task
        if i is None:
            return False
        # Where nothing was ever captioned the last record left still cannot fail its whole task.
        last_strike = attempt.log.left == 1 and task.strikes + 1 >= self.policy.strikes
        from_outside = worker.stuck or (ended.code in KILLS and worker.ending is None)
        guilty = self.suspects.died_alone(task.id, i, from_outside)
        # A read that does not end says nothing of device or model.
        if not (guilty if proven or worker.stuck else last_strike):
            return False
        detail = "the worker died again and again on this record alone"
        try:
            attempt.accept([{"i": i, "error": "poison", "detail": detail}])
        except OSError as error:
            self.running.cannot_write(error)
            return False
        self.project_state.event("fail", f"record {i}: {detail}", shard=attempt.shard.number)
        return True


def why(worker: WorkerState, ended: WorkerExit) -> str:
    if ended.protocol_error is not None:
        return f"it wrote {ended.protocol_error}"
    if worker.last_words or worker.ending:
        return worker.last_words or str(worker.ending)
    if ended.lost is not None:
        return ended.lost
    if ended.code < 0:
        hint = " (the kernel, out of memory?)" if ended.code == -9 else ""
        return f"killed by signal {-ended.code}{hint}"
    return f"exit code {ended.code}"
