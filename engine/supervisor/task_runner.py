"""The tasks that are with workers: started, supplied with records, their rows written, ended.

An attempt ends in one of these ways. "Cancels" means that the worker is told to forget the records
that it is not generating yet; its model stays loaded.

| method           | when                               | cancels | outcome   | task then          |
|------------------|------------------------------------|---------|-----------|--------------------|
| `finish_attempt` | every record has its row           | no      | done      | `complete_task`    |
| `release_task`   | the worker can do no more now: its | no      | withdrawn | pending, no strike |
|                  | server does not answer             |         |           |                    |
| `cancel_task`    | a person excludes records of a     | yes     | withdrawn | pending, no strike |
|                  | running task                       |         |           |                    |
| `cancel_tasks`   | pause, lost image root, write      | yes     | withdrawn | pending, no strike |
|                  | error: all tasks, or some devices' |         |           |                    |
| `send_records`   | the shard file has changed         | yes     | withdrawn | failed             |
| (`worker_exit`)  | the worker's process has ended     | no      | died,     | see there          |
|                  |                                    |         | stopped,  |                    |
|                  |                                    |         | or lost   |                    |

All of them use `end_attempt`, which ends the attempt and leaves the task alone. `complete_task`
ends no attempt: it reads the caption log back and makes the task done if the log is whole.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path

from db.rows import AttemptRow
from engine.project.caption_log import file_digest
from engine.project.shard_file import FileStamp, ShardChanged, file_stamp
from engine.protocol.messages import Message
from engine.state.model_backoff import ModelBackoff
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import complete_if_whole, log_path
from engine.supervisor.attempt import Attempt, open_attempt
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.sample_ring import SampleRing
from engine.supervisor.worker_state import WorkerState

DISK_FULL = "the disk is full"
"""The pause reason after a write failed for want of space; `ResourceWatch` resumes from it."""
CHANGED = "was changed since the input was split"
"""How the error of a task ends whose shard file is not the one that was split."""
NO_SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a write that mean a full disk: no space, a quota, a file that may not grow."""
BATCHES_AHEAD = 6
"""Batches of records that a worker holds, if that is more than `Policy.chunk`: it captions two,
decodes two, and has two to go on with while the next records are on their way."""


class TaskRunner:
    """Runs attempts: one for each worker that is captioning."""

    def __init__(
        self,
        workers: dict[str, WorkerState],
        project_state: ProjectState,
        device_pool: DevicePool,
        suspects: PoisonDetector,
        server_suspects: PoisonDetector,
        backoff: ModelBackoff,
        policy: Policy,
    ) -> None:
        self.workers = workers
        """The supervisor's live workers by worker id, shared with it."""
        self.project_state = project_state
        self.device_pool = device_pool
        self.suspects = suspects
        """Records that may have ended a worker."""
        self.server_suspects = server_suspects
        """Records that may have ended a server."""
        self.backoff = backoff
        self.policy = policy
        self.sample_ring = SampleRing(project_state)

    # Starting, and sending records

    def start_task(self, worker: WorkerState, task_id: int) -> None:
        """Start an attempt at the task on an idle worker that has its model loaded.

        The task fails at once if its shard file is missing, unreadable or changed.
        """
        ledger, now = self.project_state.ledger, time.time()
        task = ledger[task_id]
        shard = self.project_state.shards[task.shard]
        model = self.project_state.models[task.model_id]
        shard_path = self.project_state.project.shard_file(shard.number)
        stamp, damage = inspect_shard(shard_path, shard.digest)
        if damage or stamp is None:
            self.project_state.event("fail", str(damage), worker.device, model.name, shard.number)
            ledger.fail(task_id, now, str(damage))
            return
        task = ledger.start(task_id, worker.device, now)
        try:
            attempt = open_attempt(
                task,
                model,
                shard,
                shard_path,
                stamp,
                log_path(self.project_state, task),
                suspects=self.suspects.in_order(task_id),
                server_suspects=self.server_suspects.in_order(task_id),
            )
        except OSError as error:
            ledger.release(task_id, now, str(error))
            self.on_write_error(error)
            return
        self.project_state.attempts[attempt.key] = AttemptRow(
            *attempt.key, worker.handle.id, worker.device, now
        )
        worker.attempt, worker.state = attempt, "captioning"
        worker.progressed_at = worker.last_rows_at = time.monotonic()
        if attempt.log.left == 0:
            self.finish_attempt(worker)
        else:
            self.send_records(worker)

    def send_records(self, worker: WorkerState) -> None:
        """Keep the worker supplied with a bounded number of records.

        The task fails if its shard file has changed meanwhile.
        """
        attempt = worker.attempt
        if attempt is None:
            return
        chunk = max(self.policy.chunk, BATCHES_AHEAD * worker.batch)
        try:
            while not (waits := self.must_wait_for_server(attempt)) and (
                message := attempt.next_records(chunk)
            ):
                worker.handle.send(message)
        except (ShardChanged, ValueError):  # what is read may be cut in the middle
            worker.handle.send({"type": "cancel"})
            self.end_attempt(worker, "withdrawn", CHANGED)
            name = self.project_state.project.shard_file(attempt.shard.number).name
            text = f"shards/{name} {CHANGED}"
            self.project_state.event(
                "fail", text, worker.device, attempt.model.name, attempt.shard.number
            )
            self.project_state.ledger.fail(attempt.task.id, time.time(), text)
            return
        if waits and not attempt.outstanding:
            worker.progressed_at = worker.last_rows_at = time.monotonic()  # it does not hang

    def must_wait_for_server(self, attempt: Attempt) -> bool:
        """Return True if the attempt must send no record to its server now.

        While a server has a suspect it must have nothing else, neither of this attempt nor of
        others that use the same server.
        """
        if not self.server_suspects.suspects:
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

    def on_rows(self, worker: WorkerState, message: Message) -> None:
        """Append the rows to the caption log, count them, and send the next records.

        Rows of an attempt that has ended are dropped.
        """
        attempt = worker.attempt
        if attempt is None or (message["task"], message["attempt"]) != attempt.key:
            return
        try:
            rows = attempt.accept(message["rows"])
        except OSError as error:
            self.on_write_error(error)
            return
        if not rows:
            return
        worker.count_rows(len(rows), time.monotonic())
        self.device_pool.mark_proven(worker.device, attempt.model.id)
        if any("raw" in row for row in rows):
            self.backoff.on_answer(attempt.model.id)
        tokens = sum(row["tokens"] for row in rows if "raw" in row)
        self.project_state.count_images(worker.device, attempt.model.id, len(rows), tokens)
        for row in rows:
            self.sample_ring.offer(worker.handle.id, attempt, row)
        if attempt.log.left == 0:
            self.finish_attempt(worker)
        else:
            self.send_records(worker)

    def on_in_progress(self, worker: WorkerState, message: Message) -> None:
        """Note which records the worker decodes or generates: suspects, should it die now."""
        attempt = worker.attempt
        if attempt is not None and message["attempt"] == attempt.number:
            attempt.in_progress.update(attempt.outstanding.intersection(message["records"]))

    def update_counts(self, workers: Iterable[WorkerState]) -> None:
        """Bring the tasks of these workers up to what their logs hold now."""
        for worker in workers:
            attempt = worker.attempt
            if (
                attempt is not None
                and self.project_state.ledger[attempt.task.id].rows != attempt.log.rows
            ):
                self.project_state.ledger.set_counts(attempt.task.id, attempt.counts, time.time())
                if attempt.log.errors:
                    self.project_state.failures[attempt.task.id] = attempt.failures()

    def sync_logs(self) -> None:
        """Sync the logs that have `Policy.sync_rows` unsynced rows, or any for `sync_every`."""
        now = time.monotonic()
        for worker in self.workers.values():
            attempt = worker.attempt
            if attempt is None:
                continue
            overdue = now - attempt.synced_at > self.policy.sync_every
            if attempt.log.unsynced >= self.policy.sync_rows or overdue:
                attempt.synced_at = now
                try:
                    attempt.log.sync()
                except OSError as error:
                    self.on_write_error(error)
                    return

    # Ending

    def end_attempt(self, worker: WorkerState, outcome: str, detail: str | None = None) -> bool:
        """End the worker's attempt, and leave its task to the caller.

        Returns False if the attempt's last rows could not be synced; the run is paused then.
        """
        attempt = worker.attempt
        if attempt is None:
            return True
        self.update_counts([worker])
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
            self.on_write_error(error)
            return False
        finally:
            attempt.close_files()
        return True

    def finish_attempt(self, worker: WorkerState) -> None:
        """End an attempt whose log lacks no record, and complete its task."""
        attempt = worker.attempt
        if attempt is None:
            return
        if self.end_attempt(worker, "done"):
            self.complete_task(attempt.task.id)
        else:
            self.project_state.ledger.release(attempt.task.id, time.time())

    def complete_task(self, task_id: int) -> None:
        """Read the log back, and make the task done if the log is whole.

        The task gets a strike if it is not. If the log cannot be read, or the sheared captions
        cannot be written, the task goes back to pending and the run is paused.
        """
        try:
            complete_if_whole(self.project_state, self.project_state.ledger[task_id], time.time())
        except OSError as error:
            self.project_state.ledger.release(task_id, time.time())
            self.on_write_error(error)
            return
        self.suspects.clear_suspects(task_id)
        self.server_suspects.clear_suspects(task_id)
        task = self.project_state.ledger[task_id]
        if task.state == "done":
            self.project_state.event(
                "info",
                f"done: {task.captioned} captioned, {task.failed} failed, {task.seconds:.0f} s",
                task.device,
                self.project_state.models[task.model_id].name,
                task.shard,
            )

    def release_task(self, worker: WorkerState, reason: str) -> None:
        """Put the worker's task back to pending without a strike.

        For a worker that has forgotten its records itself, so that nothing is to be cancelled.
        """
        attempt = worker.attempt
        if attempt is not None:
            self.end_attempt(worker, "withdrawn", reason)
            self.project_state.ledger.release(attempt.task.id, time.time(), reason)
            if not attempt.log.left:
                self.complete_task(attempt.task.id)

    def cancel_task(self, task_id: int) -> None:
        """Take the task back from its worker, if one has it; the batches in flight are lost."""
        for worker in self.workers.values():
            if worker.attempt is not None and worker.attempt.task.id == task_id:
                worker.handle.send({"type": "cancel"})
                self.release_task(worker, "taken back")

    def cancel_tasks(self, reason: str, devices: Container[str] | None = None) -> None:
        """Take every task, or those of some devices, back from the workers.

        The batches in flight are lost; the models stay loaded.
        """
        for worker in self.workers.values():
            attempt = worker.attempt
            if attempt is None or (devices is not None and worker.device not in devices):
                continue
            worker.handle.send({"type": "cancel"})
            self.end_attempt(worker, "withdrawn", reason)
            self.project_state.ledger.release(attempt.task.id, time.time())

    def on_write_error(self, error: OSError) -> None:
        """Pause the run and take all tasks back; what is written is kept.

        After a full disk the run goes on by itself when there is room (`ResourceWatch`).
        """
        full = error.errno in NO_SPACE_ERRNOS
        reason = DISK_FULL if full else f"the project cannot be written: {error}"
        if not self.project_state.settings.paused:
            self.project_state.event("fail", f"paused: {reason}")
            self.project_state.pause(reason)
        self.cancel_tasks(reason)


def inspect_shard(shard_path: Path, digest: str) -> tuple[FileStamp | None, str | None]:
    """Return the shard file's stamp, and what is wrong with the file, or None if it is whole."""
    name = f"shards/{shard_path.name}"
    try:
        stamp = file_stamp(shard_path.stat())
        whole = file_digest(shard_path) == digest
    except FileNotFoundError:
        return None, f"{name} is missing since the input was split"
    except OSError as error:
        return None, f"{name} cannot be read: {error.strerror}"
    return stamp, None if whole else f"{name} {CHANGED}"
