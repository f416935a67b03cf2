"""The tasks that are with workers: started, supplied with records, their rows written, ended.

`endings` lists the ways in which an attempt ends; `TaskRunner.end_attempt` carries them out.
"""

from __future__ import annotations

import errno
from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path

from db.rows import AttemptRow, TaskErrorCause
from engine.captioners.registry import FAMILIES
from engine.project.shard_file import CHANGED, ShardChanged, ShardDamage, inspect_shard
from engine.protocol.caption_row import CaptionRow, Row
from engine.protocol.messages import Cancel, Decoding, Generating, Rows
from engine.state.damaged_log import check_log
from engine.state.model_backoff import ModelBackoff
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import complete_if_whole, count_scores, log_path
from engine.supervisor.attempt import Attempt, open_attempt
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.endings import ENDINGS, EndKind
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.sample_ring import SampleRing
from engine.supervisor.worker_state import WorkerState
from engine.utils.plurals import plural

NO_SPACE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota on this disk is used up",
    errno.EFBIG: "a file has the largest size that is allowed",
}
"""The reason of a pause after a write failed for want of space, as people read it, by its errno."""
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
        state = self.project_state
        ledger, now = state.ledger, state.clock.time()
        task = ledger[task_id]
        shard, model = state.shards[task.shard], state.models[task.model_id]
        shard_path = state.project.shard_file(shard.number)
        inspection = inspect_shard(shard_path, shard.digest)
        if isinstance(inspection, ShardDamage):
            state.event("fail", inspection.text, worker.device, model.name, shard.number)
            ledger.fail(task_id, now, inspection.text, inspection.cause)
            return
        path = log_path(state, task)
        try:
            check_log(state, task, path, now)  # of a retried shard; nothing is to hide damage
            task = ledger.start(task_id, worker.device, now)
            attempt = open_attempt(
                task,
                model,
                shard,
                shard_path=shard_path,
                stamp=inspection,
                log_path=path,
                now=state.clock.monotonic(),
                suspects=self.suspects.in_order(task_id),
                server_suspects=self.server_suspects.in_order(task_id),
                wanted=state.wanted(task),
                shearing=state.shearing,
            )
        except OSError as error:
            ledger.release(task_id, now, str(error), "cannot_write")
            self.on_write_error(error, path)
            return
        except ValueError:  # the shard was written to since it was inspected
            text = f"shards/{shard_path.name} {CHANGED}"
            state.event("fail", text, worker.device, model.name, shard.number)
            ledger.fail(task_id, now, text, "shard_changed")
            return
        state.attempts[attempt.key] = AttemptRow(
            task_id=task_id,
            number=attempt.number,
            worker_id=worker.handle.id,
            device=worker.device,
            started=now,
        )
        worker.begin_attempt(attempt, state.clock.monotonic())
        if attempt.log.left == 0:
            self.end_attempt(worker, "finished")
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
        probe = self.device_pool.needs_probe(worker.device, attempt.model.id)
        try:
            while not (waits := self.must_wait_for_server(attempt)) and (
                message := attempt.next_records(chunk, probe)
            ):
                worker.handle.send(message)
        except (ShardChanged, ValueError):  # what is read may be cut in the middle
            shard = attempt.shard.number
            text = f"shards/{self.project_state.project.shard_file(shard).name} {CHANGED}"
            self.project_state.event("fail", text, worker.device, attempt.model.name, shard)
            self.end_attempt(worker, "shard_changed", text, "shard_changed")
            return
        if waits and not attempt.worker_has_images:
            worker.on_waiting_for_server(self.project_state.clock.monotonic())

    def must_wait_for_server(self, attempt: Attempt) -> bool:
        """Return True if the attempt must send no record to its server now.

        While a server has a suspect it must have nothing else, neither of this attempt nor of
        others that use the same server. One that a worker has started has no others.
        """
        if not self.server_suspects.suspects or not FAMILIES[attempt.model.family].remote:
            return False
        others = [
            other
            for worker in self.workers.values()
            if (other := worker.attempt) is not None
            and other is not attempt
            and other.model.checkpoint == attempt.model.checkpoint
        ]
        if attempt.isolating:
            return any(other.worker_has_images for other in others)
        return any(other.isolating for other in others)

    # What comes back

    def on_rows(self, worker: WorkerState, message: Rows) -> list[Row]:
        """Append the rows to the caption log, count them, and send the next records.

        Return the rows that were appended. Rows of an attempt that has ended are dropped and
        counted.
        """
        attempt = worker.attempt
        if attempt is None or (message.task, message.attempt) != attempt.key:
            worker.on_stale_rows(len(message.rows))
            return []
        probe_before = attempt.probe
        try:
            accepted = attempt.accept(message.rows)
        except OSError as error:
            self.on_write_error(error, attempt.log.path)
            return []
        if attempt.probe != probe_before:
            self.on_probe_answered(worker, attempt)
        if not accepted:
            return []
        now = self.project_state.clock.monotonic()
        worker.on_rows(len(accepted), now, message.waited)
        self.device_pool.mark_proven(worker.device, attempt.model.id)
        captions = [each.row for each in accepted if isinstance(each.row, CaptionRow)]
        if captions:
            self.backoff.on_answer(attempt.model.id)
        tokens = sum(row.tokens for row in captions)
        self.project_state.count_images(worker.device, attempt.model.id, len(accepted), tokens)
        for each in accepted:
            self.sample_ring.offer(worker.handle.id, attempt, each)
        if attempt.log.left == 0:
            self.end_attempt(worker, "finished")
        else:
            self.send_records(worker)
        return [each.row for each in accepted]

    def on_probe_answered(self, worker: WorkerState, attempt: Attempt) -> None:
        """Go on with the suspect for which the worker got the probe image."""
        worker.on_progress(self.project_state.clock.monotonic())
        if attempt.probe == "captioned":
            self.device_pool.mark_probed(worker.device, attempt.model.id)
        self.send_records(worker)

    def on_in_progress(self, worker: WorkerState, message: Decoding | Generating) -> None:
        """Note which records the worker decodes or generates: suspects, should it die now."""
        attempt = worker.attempt
        if attempt is not None and (message.task, message.attempt) == attempt.key:
            attempt.in_progress.update(attempt.outstanding.intersection(message.records))

    def update_counts(self, workers: Iterable[WorkerState]) -> None:
        """Bring the tasks of these workers up to what their logs hold now."""
        ledger, now = self.project_state.ledger, self.project_state.clock.time()
        for worker in workers:
            attempt = worker.attempt
            if attempt is None or ledger[attempt.task.id].rows == attempt.log.rows:
                continue
            ledger.set_counts(attempt.task.id, attempt.log.counts, now)
            if attempt.log.errors:
                self.project_state.failures[attempt.task.id] = attempt.failures()

    def sync_logs(self, at_once: bool = False) -> None:
        """Sync the logs that have `Policy.sync_rows` unsynced rows, or any for `sync_every`.

        With `at_once`, all of them.
        """
        now = self.project_state.clock.monotonic()
        for worker in self.workers.values():
            attempt = worker.attempt
            if attempt is None:
                continue
            overdue = at_once or now - attempt.synced_at > self.policy.sync_every
            if attempt.log.unsynced >= self.policy.sync_rows or overdue:
                attempt.synced_at = now
                try:
                    attempt.log.sync()
                except OSError as error:
                    self.on_write_error(error, attempt.log.path)
                    return

    # Ending

    def end_attempt(
        self,
        worker: WorkerState,
        kind: EndKind,
        reason: str | None = None,
        cause: TaskErrorCause | None = None,
        at_once: bool = False,
    ) -> None:
        """End the worker's attempt, if it has one, and do with its task what `ENDINGS` says.

        `reason` is for people, `cause` the same as a value. With `at_once`, a task that got a
        strike does not wait. A task that lacks no record any more is completed in any case. The run
        is paused if the attempt's last rows cannot be synced.
        """
        attempt = worker.attempt
        if attempt is None:
            return
        ending, ledger = ENDINGS[kind], self.project_state.ledger
        task_id, now = attempt.task.id, self.project_state.clock.time()
        if ending.cancels:
            worker.handle.send(Cancel())
        write_error: OSError | None = None
        try:
            attempt.close()
        except OSError as error:  # rows that could not be synced are gone, and count no more
            write_error = error
        self.update_counts([worker])
        self.tell_dropped_rows(worker, attempt)
        self.tell_results(worker, attempt)
        self.project_state.attempts[attempt.key] = replace(
            self.project_state.attempts[attempt.key],
            ended=now,
            outcome=ending.outcome,
            rows=attempt.rows,
            detail=reason,
        )
        worker.end_attempt()
        kept_reason, kept_cause = (reason, cause) if ending.keeps_reason else (None, None)
        if ending.task == "strike":
            ledger.strike(task_id, now, attempt.rows > 0, reason, cause)
            if at_once:
                ledger.change(task_id, now, not_before=0.0)
        elif ending.task == "fail":
            ledger.fail(task_id, now, reason, cause)
        elif ending.task == "release" or write_error is not None:
            ledger.release(task_id, now, kept_reason, kept_cause)
        if write_error is not None:
            self.on_write_error(write_error, attempt.log.path)
        elif attempt.log.left == 0 and ending.task != "fail":
            self.complete_task(task_id)

    def tell_results(self, worker: WorkerState, attempt: Attempt) -> None:
        """Log how many captions were replaced, if records were asked about again."""
        results = attempt.again.results
        if results:
            self.project_state.event(
                "info",
                f"asked again: {plural(results['better'], 'caption')} replaced, {results['kept']}"
                " kept as they were, since the new ones are no better",
                worker.device,
                attempt.model.name,
                attempt.shard.number,
            )

    def tell_dropped_rows(self, worker: WorkerState, attempt: Attempt) -> None:
        """Log how many rows of the attempt were dropped, and why, if any were."""
        if attempt.dropped:
            counts = ", ".join(f"{count} {reason}" for reason, count in attempt.dropped.items())
            self.project_state.event(
                "warn",
                f"unexpected rows were dropped: {counts}",
                worker.device,
                attempt.model.name,
                attempt.shard.number,
            )

    def complete_task(self, task_id: int) -> None:
        """Read the log back, and make the task done if the log is whole.

        The task gets a strike if it is not. If the log cannot be read, or the sheared captions
        cannot be written, the task goes back to pending and the run is paused.
        """
        task, now = self.project_state.ledger[task_id], self.project_state.clock.time()
        try:
            complete_if_whole(self.project_state, task, now)
        except OSError as error:
            self.project_state.ledger.release(task_id, now)
            self.on_write_error(error, log_path(self.project_state, task))
            return
        self.suspects.clear_suspects(task_id)
        self.server_suspects.clear_suspects(task_id)
        task = self.project_state.ledger[task_id]
        verb = "scored" if task.model_id in self.project_state.ledger.scorers else "captioned"
        if task.state == "done":
            took = max(0.0, now - (task.started or now))
            self.project_state.event(
                "info",
                f"done: {task.captioned:,} {verb}, {task.failed:,} failed, {took:.0f} s",
                task.device,
                self.project_state.models[task.model_id].name,
                task.shard,
            )

    def count_scores(self) -> None:
        """Have one scorer's task counted anew, if captions of its shard may be new to it.

        The run is paused if that cannot be done.
        """
        if self.project_state.settings.paused:
            return
        try:
            count_scores(self.project_state)
        except OSError as error:
            self.on_write_error(error)

    def cancel_task(self, task_id: int) -> None:
        """Take the task back from its worker, if one has it."""
        for worker in self.workers.values():
            if worker.attempt is not None and worker.attempt.task.id == task_id:
                self.end_attempt(worker, "taken_back", "taken back", "withdrawn")

    def cancel_model(self, model_id: int, reason: str) -> None:
        """Take the tasks of a model back from the workers, which keep it loaded."""
        for worker in self.workers.values():
            if worker.attempt is not None and worker.attempt.model.id == model_id:
                self.end_attempt(worker, "withdrawn", reason)

    def cancel_tasks(self, reason: str, devices: Container[str] | None = None) -> None:
        """Take every task, or those of some devices, back from the workers."""
        for worker in self.workers.values():
            if devices is None or worker.device in devices:
                self.end_attempt(worker, "withdrawn", reason)

    def on_write_error(self, error: OSError, path: Path | None = None) -> None:
        """Pause the run and take all tasks back; what is written is kept.

        `path` is the file that gave the error, unless the error names another one. The run goes on
        by itself when there is room again, or the file can be used again (`PauseWatch`).
        """
        what = str(error)
        if isinstance(error.filename, str) and Path(error.filename).is_absolute():
            named = Path(error.filename)
            if path is None or named not in path.parents:  # a folder is on the way to the file
                path = named
        elif path is not None:
            what = f"{path}: {error.strerror or error}"
        full = error.errno in NO_SPACE
        reason = NO_SPACE.get(error.errno or 0, f"the project cannot be written: {what}")
        if not self.project_state.settings.paused:
            self.project_state.unwritable = path
            self.project_state.event("fail", f"paused: {reason}")
            self.project_state.pause("disk_full" if full else "cannot_write", reason)
        self.cancel_tasks(reason)
