"""The tasks that are with workers: begun, fed, their rows written, ended, taken back."""

from __future__ import annotations

import errno
import time
from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path

from db.rows import AttemptRow
from engine.project.caption_log import file_digest
from engine.project.shard_file import ShardChanged, Stamp, stamp_of
from engine.protocol.messages import Message
from engine.state.model_backoff import ModelBackoff
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import finish, log_of
from engine.supervisor.attempt import Attempt, begin
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.sample_ring import SampleRing
from engine.supervisor.worker_state import WorkerState

DISK = "the disk is full"
CHANGED = "was changed since the input was split"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BATCHES_AHEAD = 6
"""Of a worker that captions two, decodes two and has two to go on with."""


class TaskRunner:
    def __init__(
        self,
        workers: dict[str, WorkerState],
        project_state: ProjectState,
        device_pool: DevicePool,
        suspects: PoisonDetector,
        server_suspects: PoisonDetector,
        waits: ModelBackoff,
        policy: Policy,
    ) -> None:
        """`suspects` of the death of a worker, `server_suspects` of that of a server."""
        self.workers = workers
        self.project_state = project_state
        self.device_pool = device_pool
        self.suspects = suspects
        self.server_suspects = server_suspects
        self.waits = waits
        self.policy = policy
        self.sample_ring = SampleRing(project_state)

    # Begun and fed

    def start(self, worker: WorkerState, task_id: int) -> None:
        ledger, now = self.project_state.ledger, time.time()
        task = ledger[task_id]
        shard = self.project_state.shards[task.shard]
        model = self.project_state.models[task.model_id]
        shard_file = self.project_state.project.shard_file(shard.number)
        stamp, damage = inspect(shard_file, shard.digest)
        if damage or stamp is None:
            self.project_state.event("fail", str(damage), worker.device, model.name, shard.number)
            ledger.fail(task_id, now, str(damage))
            return
        task = ledger.start(task_id, worker.device, now)
        try:
            log = log_of(self.project_state, task)
            suspects, at_last = (
                it.in_order(task_id) for it in (self.suspects, self.server_suspects)
            )
            attempt = begin(task, model, shard, shard_file, stamp, log, suspects, at_last)
        except OSError as error:
            ledger.release(task_id, now, str(error))
            self.cannot_write(error)
            return
        self.project_state.attempts[attempt.key] = AttemptRow(
            *attempt.key, worker.handle.id, worker.device, now
        )
        worker.attempt, worker.state = attempt, "captioning"
        worker.progressed = worker.counted = time.monotonic()
        if attempt.log.left == 0:
            self.finish(worker)
        else:
            self.feed(worker)

    def feed(self, worker: WorkerState) -> None:
        """Keeps the worker supplied with a bounded number of records."""
        attempt = worker.attempt
        if attempt is None:
            return
        chunk = max(self.policy.chunk, BATCHES_AHEAD * worker.batch)
        try:
            while not (waits := self.must_wait(attempt)) and (
                message := attempt.next_records(chunk)
            ):
                worker.handle.send(message)
        except (ShardChanged, ValueError):  # what is read may be cut in the middle
            worker.handle.send({"type": "cancel"})
            self.close(worker, "withdrawn", CHANGED)
            text = f"shards/{self.project_state.project.shard_file(attempt.shard.number).name} {CHANGED}"
            self.project_state.event(
                "fail", text, worker.device, attempt.model.name, attempt.shard.number
            )
            self.project_state.ledger.fail(attempt.task.id, time.time(), text)
            return
        if waits and not attempt.outstanding:
            worker.progressed = worker.counted = time.monotonic()  # it does not hang

    def must_wait(self, attempt: Attempt) -> bool:
        """While a server is asked about a suspect it is asked about nothing else."""
        if not self.server_suspects.records:
            return False
        others = [
            other
            for worker in self.workers.values()
            if (other := worker.attempt) is not None
            and other is not attempt
            and other.model.checkpoint == attempt.model.checkpoint
        ]
        if attempt.isolating:
            return any(other.outstanding for other in others)
        return any(other.isolating for other in others)

    # What comes back

    def take_rows(self, worker: WorkerState, message: Message) -> None:
        attempt = worker.attempt
        if attempt is None or (message["task"], message["attempt"]) != attempt.key:
            return  # an attempt that is over
        try:
            taken = attempt.accept(message["rows"])
        except OSError as error:
            self.cannot_write(error)
            return
        if not taken:
            return
        worker.count(len(taken), time.monotonic())
        self.device_pool.proved_fit(worker.device, attempt.model.id)
        if any("raw" in row for row in taken):
            self.waits.answered(attempt.model.id)
        tokens = sum(row["tokens"] for row in taken if "raw" in row)
        self.project_state.count_images(worker.device, attempt.model.id, len(taken), tokens)
        for row in taken:
            self.sample_ring.offer(worker.handle.id, attempt, row)
        if attempt.log.left == 0:
            self.finish(worker)
        else:
            self.feed(worker)

    def note_touched(self, worker: WorkerState, message: Message) -> None:
        attempt = worker.attempt
        if attempt is not None and message["attempt"] == attempt.number:
            attempt.touched.update(attempt.outstanding.intersection(message["records"]))

    def note_counts(self, workers: Iterable[WorkerState]) -> None:
        for worker in workers:
            attempt = worker.attempt
            if (
                attempt is not None
                and self.project_state.ledger[attempt.task.id].rows != attempt.log.rows
            ):
                self.project_state.ledger.count(attempt.task.id, attempt.counts, time.time())
                if attempt.log.errors:
                    self.project_state.failures[attempt.task.id] = attempt.failures()

    def sync(self) -> None:
        now = time.monotonic()
        for worker in self.workers.values():
            attempt = worker.attempt
            if attempt is None:
                continue
            overdue = now - attempt.synced > self.policy.sync_every
            if attempt.log.unsynced >= self.policy.sync_rows or overdue:
                attempt.synced = now
                try:
                    attempt.log.sync()
                except OSError as error:
                    self.cannot_write(error)
                    return

    # Ended

    def close(self, worker: WorkerState, outcome: str, detail: str | None = None) -> bool:
        """Ends the running attempt in the books; what becomes of its task is said elsewhere.

        False if its last rows could not be synced.
        """
        attempt = worker.attempt
        if attempt is None:
            return True
        self.note_counts([worker])
        self.project_state.attempts[attempt.key] = replace(
            self.project_state.attempts[attempt.key],
            ended=time.time(),
            outcome=outcome,
            rows=attempt.rows,
            detail=detail,
        )
        worker.attempt, worker.state = None, "idle"
        try:
            attempt.log.sync()
        except OSError as error:
            self.cannot_write(error)
            return False
        finally:
            attempt.close()
        return True

    def finish(self, worker: WorkerState) -> None:
        attempt = worker.attempt
        if attempt is None:
            return
        if self.close(worker, "done"):
            self.complete(attempt.task.id)
        else:
            self.project_state.ledger.release(attempt.task.id, time.time())

    def complete(self, task_id: int) -> None:
        """Reads the log back; the task is done if it is whole."""
        try:
            finish(self.project_state, self.project_state.ledger[task_id], time.time())
        except OSError as error:
            self.project_state.ledger.release(task_id, time.time())
            self.cannot_write(error)
            return
        self.suspects.acquit(task_id)
        self.server_suspects.acquit(task_id)
        task = self.project_state.ledger[task_id]
        if task.state == "done":
            self.project_state.event(
                "info",
                f"done: {task.captioned} captioned, {task.failed} failed, {task.seconds:.0f} s",
                task.device,
                self.project_state.models[task.model_id].name,
                task.shard,
            )

    def withdraw(self, why: str, devices: Container[str] | None = None) -> None:
        """Takes every task, or those of some devices, back: the batches in flight are lost, the
        models stay loaded."""
        for worker in self.workers.values():
            attempt = worker.attempt
            if attempt is None or (devices is not None and worker.device not in devices):
                continue
            worker.handle.send({"type": "cancel"})
            self.close(worker, "withdrawn", why)
            self.project_state.ledger.release(attempt.task.id, time.time())

    def let_go(self, worker: WorkerState, why: str) -> None:
        """Of a task whose worker can do nothing for it now: without a strike."""
        attempt = worker.attempt
        if attempt is not None:
            self.close(worker, "withdrawn", why)
            self.project_state.ledger.release(attempt.task.id, time.time(), why)
            if not attempt.log.left:
                self.complete(attempt.task.id)

    def take_back(self, task_id: int) -> None:
        """From its worker, which loses the batches in flight."""
        for worker in self.workers.values():
            if worker.attempt is not None and worker.attempt.task.id == task_id:
                worker.handle.send({"type": "cancel"})
                self.let_go(worker, "taken back")

    def cannot_write(self, error: OSError) -> None:
        """Stops cleanly and keeps what is written; a full disk is watched."""
        reason = DISK if error.errno in NO_SPACE else f"the project cannot be written: {error}"
        if not self.project_state.settings.paused:
            self.project_state.event("fail", f"paused: {reason}")
            self.project_state.pause(reason)
        self.withdraw(reason)


def inspect(shard_file: Path, digest: str) -> tuple[Stamp | None, str | None]:
    """The file's stamp and, in words, what is wrong with it."""
    name = f"shards/{shard_file.name}"
    try:
        stamp = stamp_of(shard_file.stat())
        whole = file_digest(shard_file) == digest
    except FileNotFoundError:
        return None, f"{name} is missing since the input was split"
    except OSError as error:
        return None, f"{name} cannot be read: {error.strerror}"
    return stamp, None if whole else f"{name} {CHANGED}"
