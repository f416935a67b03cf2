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
from engine.state.model_backoff import Waits
from engine.state.policy import Policy
from engine.state.project_state import Books
from engine.state.reconcile import finish, log_of
from engine.supervisor.attempt import Attempt, begin
from engine.supervisor.device_pool import Fleet
from engine.supervisor.poison import Suspects
from engine.supervisor.sample_ring import Showcase
from engine.supervisor.worker_state import Member

DISK = "the disk is full"
CHANGED = "was changed since the input was split"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BATCHES_AHEAD = 6
"""Of a worker that captions two, decodes two and has two to go on with."""


class Running:
    def __init__(
        self,
        members: dict[str, Member],
        books: Books,
        fleet: Fleet,
        suspects: Suspects,
        felling: Suspects,
        waits: Waits,
        policy: Policy,
    ) -> None:
        """`suspects` of the death of a worker, `felling` of that of a server."""
        self.members = members
        self.books = books
        self.fleet = fleet
        self.suspects = suspects
        self.felling = felling
        self.waits = waits
        self.policy = policy
        self.showcase = Showcase(books)

    # Begun and fed

    def start(self, member: Member, task_id: int) -> None:
        ledger, now = self.books.ledger, time.time()
        task = ledger[task_id]
        shard = self.books.shards[task.shard]
        model = self.books.models[task.model_id]
        shard_file = self.books.project.shard_file(shard.number)
        stamp, damage = inspect(shard_file, shard.digest)
        if damage or stamp is None:
            self.books.event("fail", str(damage), member.device, model.name, shard.number)
            ledger.fail(task_id, now, str(damage))
            return
        task = ledger.start(task_id, member.device, now)
        try:
            log = log_of(self.books, task)
            suspects, at_last = (it.in_order(task_id) for it in (self.suspects, self.felling))
            attempt = begin(task, model, shard, shard_file, stamp, log, suspects, at_last)
        except OSError as error:
            ledger.release(task_id, now, str(error))
            self.cannot_write(error)
            return
        self.books.attempts[attempt.key] = AttemptRow(
            *attempt.key, member.handle.id, member.device, now
        )
        member.attempt, member.state = attempt, "captioning"
        member.progressed = member.counted = time.monotonic()
        if attempt.log.left == 0:
            self.finish(member)
        else:
            self.feed(member)

    def feed(self, member: Member) -> None:
        """Keeps the worker supplied with a bounded number of records."""
        attempt = member.attempt
        if attempt is None:
            return
        chunk = max(self.policy.chunk, BATCHES_AHEAD * member.batch)
        try:
            while not (waits := self.must_wait(attempt)) and (
                message := attempt.next_records(chunk)
            ):
                member.handle.send(message)
        except (ShardChanged, ValueError):  # what is read may be cut in the middle
            member.handle.send({"type": "cancel"})
            self.close(member, "withdrawn", CHANGED)
            text = f"shards/{self.books.project.shard_file(attempt.shard.number).name} {CHANGED}"
            self.books.event("fail", text, member.device, attempt.model.name, attempt.shard.number)
            self.books.ledger.fail(attempt.task.id, time.time(), text)
            return
        if waits and not attempt.outstanding:
            member.progressed = member.counted = time.monotonic()  # it does not hang

    def must_wait(self, attempt: Attempt) -> bool:
        """While a server is asked about a suspect it is asked about nothing else."""
        if not self.felling.records:
            return False
        others = [
            other
            for member in self.members.values()
            if (other := member.attempt) is not None
            and other is not attempt
            and other.model.checkpoint == attempt.model.checkpoint
        ]
        if attempt.secluded:
            return any(other.outstanding for other in others)
        return any(other.secluded for other in others)

    # What comes back

    def take_rows(self, member: Member, message: Message) -> None:
        attempt = member.attempt
        if attempt is None or (message["task"], message["attempt"]) != attempt.key:
            return  # an attempt that is over
        try:
            taken = attempt.accept(message["rows"])
        except OSError as error:
            self.cannot_write(error)
            return
        if not taken:
            return
        member.count(len(taken), time.monotonic())
        self.fleet.proved_fit(member.device, attempt.model.id)
        if any("raw" in row for row in taken):
            self.waits.answered(attempt.model.id)
        tokens = sum(row["tokens"] for row in taken if "raw" in row)
        self.books.count_images(member.device, attempt.model.id, len(taken), tokens)
        for row in taken:
            self.showcase.offer(member.handle.id, attempt, row)
        if attempt.log.left == 0:
            self.finish(member)
        else:
            self.feed(member)

    def note_touched(self, member: Member, message: Message) -> None:
        attempt = member.attempt
        if attempt is not None and message["attempt"] == attempt.number:
            attempt.touched.update(attempt.outstanding.intersection(message["records"]))

    def note_counts(self, members: Iterable[Member]) -> None:
        for member in members:
            attempt = member.attempt
            if attempt is not None and self.books.ledger[attempt.task.id].rows != attempt.log.rows:
                self.books.ledger.count(attempt.task.id, attempt.counts, time.time())
                if attempt.log.errors:
                    self.books.failures[attempt.task.id] = attempt.failures()

    def sync(self) -> None:
        now = time.monotonic()
        for member in self.members.values():
            attempt = member.attempt
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

    def close(self, member: Member, outcome: str, detail: str | None = None) -> bool:
        """Ends the running attempt in the books; what becomes of its task is said elsewhere.

        False if its last rows could not be synced.
        """
        attempt = member.attempt
        if attempt is None:
            return True
        self.note_counts([member])
        self.books.attempts[attempt.key] = replace(
            self.books.attempts[attempt.key],
            ended=time.time(),
            outcome=outcome,
            rows=attempt.rows,
            detail=detail,
        )
        member.attempt, member.state = None, "idle"
        try:
            attempt.log.sync()
        except OSError as error:
            self.cannot_write(error)
            return False
        finally:
            attempt.close()
        return True

    def finish(self, member: Member) -> None:
        attempt = member.attempt
        if attempt is None:
            return
        if self.close(member, "done"):
            self.complete(attempt.task.id)
        else:
            self.books.ledger.release(attempt.task.id, time.time())

    def complete(self, task_id: int) -> None:
        """Reads the log back; the task is done if it is whole."""
        try:
            finish(self.books, self.books.ledger[task_id], time.time())
        except OSError as error:
            self.books.ledger.release(task_id, time.time())
            self.cannot_write(error)
            return
        self.suspects.acquit(task_id)
        self.felling.acquit(task_id)
        task = self.books.ledger[task_id]
        if task.state == "done":
            self.books.event(
                "info",
                f"done: {task.captioned} captioned, {task.failed} failed, {task.seconds:.0f} s",
                task.device,
                self.books.models[task.model_id].name,
                task.shard,
            )

    def withdraw(self, why: str, devices: Container[str] | None = None) -> None:
        """Takes every task, or those of some devices, back: the batches in flight are lost, the
        models stay loaded."""
        for member in self.members.values():
            attempt = member.attempt
            if attempt is None or (devices is not None and member.device not in devices):
                continue
            member.handle.send({"type": "cancel"})
            self.close(member, "withdrawn", why)
            self.books.ledger.release(attempt.task.id, time.time())

    def let_go(self, member: Member, why: str) -> None:
        """Of a task whose worker can do nothing for it now: without a strike."""
        attempt = member.attempt
        if attempt is not None:
            self.close(member, "withdrawn", why)
            self.books.ledger.release(attempt.task.id, time.time(), why)
            if not attempt.log.left:
                self.complete(attempt.task.id)

    def take_back(self, task_id: int) -> None:
        """From its worker, which loses the batches in flight."""
        for member in self.members.values():
            if member.attempt is not None and member.attempt.task.id == task_id:
                member.handle.send({"type": "cancel"})
                self.let_go(member, "taken back")

    def cannot_write(self, error: OSError) -> None:
        """Stops cleanly and keeps what is written; a full disk is watched."""
        reason = DISK if error.errno in NO_SPACE else f"the project cannot be written: {error}"
        if not self.books.settings.paused:
            self.books.event("fail", f"paused: {reason}")
            self.books.pause(reason)
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
