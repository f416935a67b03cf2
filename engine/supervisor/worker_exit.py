"""The end of a worker: who is to blame, and what becomes of its task.

To blame can be the task, one record of it, the device, the model, or none of them (the node, a kill
from outside, the user). docs/architecture.md, "States of a task", has the table.
"""

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

KILL_CODES = (-9, -15)
"""Exit codes of a process that SIGKILL or SIGTERM ended, usually from outside."""


class WorkerExitHandler:
    """Decides on strikes, poison and device deaths whenever a worker of the run has ended."""

    def __init__(
        self,
        project_state: ProjectState,
        device_pool: DevicePool,
        model_loader: ModelLoader,
        task_runner: TaskRunner,
        suspects: PoisonDetector,
        policy: Policy,
    ) -> None:
        self.project_state = project_state
        self.device_pool = device_pool
        self.model_loader = model_loader
        self.task_runner = task_runner
        self.suspects = suspects
        """Suspects of ending a worker; those of ending a server are kept apart."""
        self.policy = policy
        self.killed_once: set[int] = set()
        """Ids of tasks whose worker was killed by SIGKILL once, which is not held against them."""

    def on_worker_exit(self, worker: WorkerState, worker_exit: WorkerExit) -> None:
        """Record the end of a worker, and decide what becomes of its task and its device."""
        row = replace(worker.to_row(time.monotonic()), ended=time.time(), task_id=None)
        self.project_state.workers[worker.handle.id] = row
        reason = exit_reason(worker, worker_exit)
        attempt = worker.attempt
        lost = worker_exit.lost is not None and worker.end_reason is None
        if lost:
            self.warn_ended(worker, reason)
            self.device_pool.count_death(worker.device)
        if lost or (worker.end_reason is not None and not worker.strikes_task):
            self.task_runner.end_attempt(worker, "lost" if lost else "stopped", reason)
            if attempt is not None:
                self.project_state.ledger.release(attempt.task.id, time.time())
        else:
            self.warn_ended(worker, reason)
            if attempt is None:
                self.blame_device_or_model(worker, worker_exit, reason)
            elif not self.judge_task(worker, attempt, worker_exit, reason):
                self.device_pool.count_death(worker.device)
        if attempt is not None and self.project_state.ledger[attempt.task.id].left == 0:
            self.task_runner.complete_task(attempt.task.id)

    def warn_ended(self, worker: WorkerState, reason: str) -> None:
        """Log the event that the worker has ended, with its model and shard."""
        attempt = worker.attempt
        self.project_state.event(
            "warn",
            f"worker ended: {reason}",
            worker.device,
            attempt.model.name if attempt else None,
            attempt.shard.number if attempt else None,
        )

    def blame_device_or_model(
        self, worker: WorkerState, worker_exit: WorkerExit, reason: str
    ) -> None:
        """Count the end of a worker without a task as a load failure or as a device's death.

        A worker whose load failed has been counted already.
        """
        if worker.load_failed:
            return
        if (
            worker.state == "loading"
            and worker.model_id is not None
            and worker_exit.code not in KILL_CODES
        ):
            self.model_loader.record_load_failure(worker.device, worker.model_id, reason)
        else:
            self.device_pool.count_death(worker.device)

    def judge_task(
        self, worker: WorkerState, attempt: Attempt, worker_exit: WorkerExit, reason: str
    ) -> bool:
        """Put the task back to pending, with a strike if it may be to blame.

        Returns True if one record of it was found to be poison: the device is not to blame then.
        """
        task_id, now, ledger = attempt.task.id, time.time(), self.project_state.ledger
        self.suspects.add_suspects(task_id, attempt.in_progress)
        proven = self.device_pool.is_proven(worker.device, attempt.model.id)
        alone = attempt.isolated_record in attempt.outstanding
        poison = alone and self.fail_if_poison(worker, attempt, worker_exit, proven)
        killed_first = (
            worker_exit.code == -9 and not worker.strikes_task and task_id not in self.killed_once
        )
        if killed_first:
            self.killed_once.add(task_id)
        self.task_runner.end_attempt(worker, "died", reason)
        on_trial = self.device_pool.is_on_trial(worker.device, attempt.model.id)
        if poison or killed_first or on_trial or worker.stuck_in_read or (alone and proven):
            ledger.release(task_id, now, reason)
            return poison
        ledger.strike(task_id, now, added_rows=attempt.rows > 0, error=reason)
        if self.suspects.suspects.get(task_id):
            # One of the suspects may be the cause: they run alone, and without delay.
            ledger.change(task_id, now, not_before=0.0)
        return False

    def fail_if_poison(
        self, worker: WorkerState, attempt: Attempt, worker_exit: WorkerExit, proven: bool
    ) -> bool:
        """Count the death against the record that was alone, and fail that record if it is guilty.

        Returns True if the record was failed. `proven` is True if the device has captioned with
        the model: otherwise device or model are as likely to be the cause.
        """
        i, task = attempt.isolated_record, attempt.task
        if i is None:
            return False
        # Where nothing was ever captioned the last record left still cannot fail its whole task.
        last_strike = attempt.log.left == 1 and task.strikes + 1 >= self.policy.strikes
        from_outside = worker.stuck_in_read or (
            worker_exit.code in KILL_CODES and worker.end_reason is None
        )
        guilty = self.suspects.count_death_alone(task.id, i, from_outside)
        # A read that does not end says nothing of device or model.
        if not (guilty if proven or worker.stuck_in_read else last_strike):
            return False
        detail = "the worker died again and again on this record alone"
        try:
            attempt.accept([{"i": i, "error": "poison", "detail": detail}])
        except OSError as error:
            self.task_runner.on_write_error(error)
            return False
        self.project_state.event("fail", f"record {i}: {detail}", shard=attempt.shard.number)
        return True


def exit_reason(worker: WorkerState, worker_exit: WorkerExit) -> str:
    """Return why the worker ended, as events and attempts say it."""
    if worker_exit.protocol_error is not None:
        return f"it wrote {worker_exit.protocol_error}"
    if worker.failure_text or worker.end_reason:
        return worker.failure_text or str(worker.end_reason)
    if worker_exit.lost is not None:
        return worker_exit.lost
    if worker_exit.code < 0:
        hint = " (the kernel, out of memory?)" if worker_exit.code == -9 else ""
        return f"killed by signal {-worker_exit.code}{hint}"
    return f"exit code {worker_exit.code}"
