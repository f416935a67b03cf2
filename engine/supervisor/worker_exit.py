"""The end of a worker: gathering what is known, and carrying out what `exit_rules` says of it."""

from __future__ import annotations

from dataclasses import replace
from signal import SIGKILL
from typing import Literal

from db.rows import TaskErrorCause
from engine.launchers.base import WorkerExit
from engine.protocol.caption_row import ErrorRow
from engine.protocol.messages import Failed
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.attempt import Attempt
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.exit_rules import (
    KILL_CODES,
    AttemptFacts,
    ExitFacts,
    ExitVerdict,
    judge_exit,
)
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.worker_state import WorkerState
from engine.utils.plurals import plural

POISON_DETAIL = "the worker died again and again on this record alone"
"""The detail of a record that is failed as poison."""


class WorkerExitHandler:
    """Carries out what follows whenever a worker of the run has ended."""

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
        clock = self.project_state.clock
        row = worker.to_row(clock.monotonic(), clock.time())
        self.project_state.workers[worker.handle.id] = replace(
            row, ended=clock.time(), task_id=None
        )
        reason = exit_reason(worker, worker_exit)
        facts = self.exit_facts(worker, worker_exit)
        verdict = judge_exit(facts, self.policy)
        if verdict.ending != "worker_stopped":
            self.warn_ended(worker, reason)
        if worker.attempt is not None:
            verdict = self.carry_out_on_records(worker.attempt, facts, verdict)
            if verdict.poison is not None:
                self.device_pool.count_poison(worker.device, worker.attempt.model.id)
            self.task_runner.end_attempt(
                worker,
                verdict.ending,
                reason,
                exit_cause(worker, worker_exit),
                at_once=verdict.at_once,
            )
        if worker.stale_rows:
            text = (
                f"ignored {plural(worker.stale_rows, 'result')} that came after the attempt had"
                " ended; the task's next attempt handles these images again"
            )
            self.project_state.event("info", text, worker.device)
        if verdict.load_failure and worker.model_id is not None:
            self.model_loader.record_load_failure(worker.device, worker.model_id, "died", reason)
        if verdict.killed_load and worker.model_id is not None:
            signal = outside_signal(worker, worker_exit)
            self.model_loader.record_killed_load(worker.device, worker.model_id, reason, signal)
        if verdict.device_death:
            self.device_pool.count_death(worker.device)

    def exit_facts(self, worker: WorkerState, worker_exit: WorkerExit) -> ExitFacts:
        """Return what is known about the end of a worker."""
        return ExitFacts(
            code=worker_exit.code,
            machine_lost=worker_exit.lost is not None,
            ended_by_us=worker.end_cause is not None,
            at_fault=worker.at_fault,
            stuck_in_read=worker.stuck_in_read,
            loading=worker.state == "loading" and worker.model_id is not None,
            load_failed=worker.load_failed,
            attempt=self.attempt_facts(worker, worker.attempt) if worker.attempt else None,
        )

    def attempt_facts(self, worker: WorkerState, attempt: Attempt) -> AttemptFacts:
        """Return what is known about the attempt of a worker that has ended."""
        task_id, model_id = attempt.task.id, attempt.model.id
        # A record that the worker had not touched yet has nothing to do with its end.
        i = attempt.isolated_record if attempt.isolated_record in attempt.in_progress else None
        return AttemptFacts(
            rows=attempt.rows,
            in_progress=frozenset(attempt.in_progress),
            isolated=i,
            evidence=0 if i is None else self.suspects.evidence[task_id, i],
            has_suspects=self.suspects.has_suspects(task_id),
            killed_before=task_id in self.killed_once,
            proven=self.device_pool.is_proven(worker.device, model_id),
            on_trial=self.device_pool.is_on_trial(worker.device, model_id),
        )

    def carry_out_on_records(
        self, attempt: Attempt, facts: ExitFacts, verdict: ExitVerdict
    ) -> ExitVerdict:
        """Carry out what the verdict says of the attempt's records; return what holds now.

        If the row of a poison record cannot be written, the verdict is as if it were none yet.
        """
        task_id = attempt.task.id
        if verdict.poison is not None and not self.fail_as_poison(attempt, verdict.poison):
            assert facts.attempt is not None  # noqa: S101 (there is no poison without an attempt)
            unwritten = replace(facts, attempt=replace(facts.attempt, can_fail_records=False))
            verdict = judge_exit(unwritten, self.policy)
        if verdict.suspects:
            self.suspects.add_suspects(task_id, verdict.suspects)
        if verdict.evidence and attempt.isolated_record is not None:
            self.suspects.add_evidence(task_id, attempt.isolated_record, verdict.evidence)
        if verdict.counts_kill:
            self.killed_once.add(task_id)
        return verdict

    def fail_as_poison(self, attempt: Attempt, i: int) -> bool:
        """Fail a record. Returns False if its row cannot be written; the run is paused then."""
        image, _ = attempt.originals[i]
        try:
            attempt.accept([ErrorRow(i, "poison", POISON_DETAIL)])
        except OSError as error:
            self.task_runner.on_write_error(error)
            return False
        text = f"record {i} ({image}): {POISON_DETAIL}"
        self.project_state.event("fail", text, shard=attempt.shard.number)
        return True

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


def exit_reason(worker: WorkerState, worker_exit: WorkerExit) -> str:
    """Return why the worker ended, as events and attempts say it."""
    if worker_exit.protocol_error is not None:
        return f"what it wrote is {worker_exit.protocol_error}"
    if worker.last_words is not None:
        return worker.last_words.text
    if worker.end_reason is not None:
        return worker.end_reason
    if worker_exit.lost is not None:
        return worker_exit.lost
    if worker_exit.code < 0:
        hint = " (the kernel, out of memory?)" if worker_exit.code == -SIGKILL else ""
        return f"killed by signal {-worker_exit.code}{hint}"
    return f"exit code {worker_exit.code}"


def outside_signal(
    worker: WorkerState, worker_exit: WorkerExit
) -> Literal["SIGKILL", "SIGTERM"] | None:
    """Return the signal from outside that ended the worker; None if it ended in another way."""
    if exit_cause(worker, worker_exit) != "killed":
        return None
    return "SIGKILL" if worker_exit.code == -SIGKILL else "SIGTERM"


def exit_cause(worker: WorkerState, worker_exit: WorkerExit) -> TaskErrorCause:
    """Return the same as a value."""
    if worker_exit.protocol_error is not None:
        return "protocol_error"
    if worker.stuck_in_read:
        return "stuck_read"
    if isinstance(worker.last_words, Failed):
        return "out_of_memory" if worker.last_words.kind == "memory" else "failed"
    if worker.end_cause is not None:
        return "hung" if worker.end_cause == "hang" else "stopped"
    if worker_exit.lost is not None:
        return "machine_lost"
    if worker_exit.code < 0:
        return "killed" if worker_exit.code in KILL_CODES else "crashed"
    return "exited"
