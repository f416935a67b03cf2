"""Decides what runs where and writes what comes back. One per project; no torch in it.

Everything happens in one thread: messages come in, rows go to the caption logs, decisions are
taken, and about once a second what changed is committed.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from db import requests, run
from db.connect import Busy, reading
from db.rows import AttemptRow, DeviceRow, SupervisorRow
from engine import process
from engine.attempt import begin
from engine.books import Books
from engine.captionlog import DiskFull, file_digest
from engine.crew import Member
from engine.fleet import Fleet
from engine.launchers import Ended, Launcher, WorkerHandle
from engine.loading import Loading
from engine.policy import Policy
from engine.project import Project
from engine.protocol import Message
from engine.reconcile import finish, log_of, reconcile
from engine.schedule import Demand, choose_model
from engine.showcase import Showcase
from engine.steering import carry_out
from engine.suspects import Suspects

DISK = "the disk is full"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
KILLS = (-9, -15)
"""Exit codes of a process that was killed from outside."""


class Supervisor:
    def __init__(
        self,
        project: Project,
        launcher: Launcher,
        devices: Sequence[DeviceRow],
        policy: Policy | None = None,
        spec: str = "auto",
    ) -> None:
        """The caller holds the project's lock."""
        self.policy = policy or Policy()
        self.project = project
        self.launcher = launcher
        self.books = Books(project, self.policy)
        self.fleet = Fleet(devices, self.books, self.policy)
        self.loading = Loading(self.books, self.fleet, self.policy)
        self.suspects = Suspects(self.policy.poison_deaths)
        self.showcase = Showcase(self.books)
        self.members: dict[str, Member] = {}
        self.row = SupervisorRow(
            *process.this(), host=process.host(), heartbeat=time.time(), devices=spec
        )
        self.killed: set[int] = set()
        """Tasks whose worker was killed from outside once: that is not held against them."""
        self.stopping: str | None = None
        self.committed = 0.0
        self.disk_checked = 0.0
        self.requests_read = 0.0

    # The loop

    def run(self) -> bool:
        """Works until nothing is left or someone stops it; whether every task came to its end."""
        devices = list(self.fleet.devices.values())
        self.books.writes.append(lambda connection: run.set_devices(connection, devices))
        reconcile(self.books)
        self.books.event("info", f"started on {', '.join(self.fleet.devices)}")
        self.commit(force=True)
        try:
            while not self.over():
                for handle, message in self.launcher.receive(self.policy.tick):
                    self.receive(handle, message)
                self.watch()
                self.answer_requests()
                self.watch_disk()
                self.assign()
                self.sync()
                self.commit()
        finally:
            self.end()
        return self.books.ledger.finished

    def over(self) -> bool:
        if self.stopping == "now":
            return True
        working = any(member.attempt for member in self.members.values())
        return not working and (self.stopping == "after_shard" or self.books.ledger.finished)

    def stop(self, after_shard: bool = False) -> None:
        """Asks the loop to end; safe in a signal handler."""
        self.stopping = "after_shard" if after_shard and self.stopping != "now" else "now"

    def end(self) -> None:
        """Ends the workers, keeps what they still said, and lets go of the tasks."""
        for member in self.members.values():
            member.ending = member.ending or "stopped"
            member.handle.kill()
        deadline = time.monotonic() + self.policy.kill_after
        while self.members and time.monotonic() < deadline:
            for handle, message in self.launcher.receive(self.policy.tick):
                self.receive(handle, message)
        self.launcher.close()
        state = "finished" if self.books.ledger.finished else "stopped"
        self.books.event("info", state)
        self.books.writes.append(run.forget_supervisor)
        while time.monotonic() < deadline:
            try:
                self.books.commit()
                return
            except (Busy, DiskFull):
                time.sleep(self.policy.tick)

    def commit(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self.committed < self.policy.commit_every:
            return
        for member in self.members.values():
            self.books.workers[member.handle.id] = member.row(now)
            if member.attempt is not None:
                self.note_counts(member)
        self.books.devices = self.fleet.measured()
        self.row = replace(self.row, heartbeat=time.time(), stopping=self.stopping)
        try:
            self.books.commit(self.row)
        except Busy:  # a reader that was stopped in mid-read: next tick
            return
        except DiskFull as error:
            self.cannot_write(error)
        self.committed = now
        self.showcase.committed()

    # What workers say

    def receive(self, handle: WorkerHandle, message: Message | Ended) -> None:
        member = self.members.get(handle.id)
        if member is None:
            return
        if isinstance(message, Ended):
            self.bury(member, message)
            return
        member.heard = time.monotonic()
        match message["type"]:
            case "rows":
                self.take_rows(member, message)
            case "decoding" | "generating":
                self.note_touched(member, message)
            case "loading":
                member.progressed = time.monotonic()
            case "loaded":
                self.loading.loaded(member, message)
            case "load_failed":
                self.loading.failed(member, message)
            case "batch":
                self.loading.batch_halved(member, message)
            case "root_lost":
                self.root_lost(member, message)
            case "stuck" | "failed":
                self.failed(member, message)

    def take_rows(self, member: Member, message: Message) -> None:
        attempt = member.attempt
        if attempt is None or (message["task"], message["attempt"]) != attempt.key:
            return  # an attempt that is over
        try:
            taken = attempt.accept(message["rows"])
        except DiskFull as error:
            self.cannot_write(error)
            return
        if not taken:
            return
        member.count(len(taken), time.monotonic())
        self.fleet.proved_fit(member.device)
        self.suspects.proven.add((member.device, attempt.model.id))
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

    def root_lost(self, member: Member, message: Message) -> None:
        if member.attempt is not None and message["attempt"] == member.attempt.number:
            self.books.event("fail", f"paused: {message['text']}", member.device)
            self.books.pause(message["text"])
            self.withdraw("image root lost")

    def failed(self, member: Member, message: Message) -> None:
        member.last_words = message["text"]
        member.strikes = message["type"] == "failed"

    # The end of a worker

    def bury(self, member: Member, ended: Ended) -> None:
        del self.members[member.handle.id]
        row = replace(member.row(time.monotonic()), ended=time.time(), task_id=None)
        self.books.workers[member.handle.id] = row
        reason = self.reason(member, ended)
        attempt = member.attempt
        blameless = member.ending is not None and not member.strikes
        if not blameless:
            self.note_death(member, ended, reason)
        if attempt is None:
            return
        task_id = attempt.task.id
        if not blameless:
            self.suspects.name(task_id, attempt.touched)
        lonely = self.lonely_death(member, ended) if not blameless else False
        killed_first = ended.code == -9 and not member.strikes and task_id not in self.killed
        if killed_first:
            self.killed.add(task_id)
        self.close(member, "stopped" if blameless else "died", reason)
        now = time.time()
        if blameless or lonely or killed_first:
            self.books.ledger.release(task_id, now, None if blameless else reason)
        else:
            self.books.ledger.strike(task_id, now, attempt.rows > 0, reason)
            if self.suspects.records.get(task_id):
                # One of the suspects may be the cause: they run alone, and without delay.
                self.books.ledger.change(task_id, now, not_before=0.0)
        if self.books.ledger[task_id].left == 0:
            self.complete(task_id)

    def lonely_death(self, member: Member, ended: Ended) -> bool:
        """Whether a record that was alone is to blame, not its task."""
        attempt = member.attempt
        if attempt is None or attempt.lonely not in attempt.outstanding:
            return False
        i, task = attempt.lonely, attempt.task
        proven = (member.device, attempt.model.id) in self.suspects.proven
        # Where nothing was ever captioned the last record left still cannot fail its whole task.
        last_strike = attempt.log.left == 1 and task.strikes + 1 >= self.policy.strikes
        from_outside = ended.code in KILLS and member.ending is None
        poison = self.suspects.died_alone(task.id, i, from_outside) and proven
        if poison or (last_strike and not proven):
            detail = "the worker died again and again on this record alone"
            try:
                attempt.accept([{"i": i, "error": "poison", "detail": detail}])
            except DiskFull as error:
                self.cannot_write(error)
                return True
            self.fleet.proved_fit(member.device)
            self.books.event("fail", f"record {i}: {detail}", shard=attempt.shard.number)
            return True
        return proven

    def note_death(self, member: Member, ended: Ended, reason: str) -> None:
        attempt = member.attempt
        self.books.event(
            "warn",
            f"worker ended: {reason}",
            member.device,
            attempt.model.name if attempt else None,
            attempt.shard.number if attempt else None,
        )
        if member.load_failed:
            return
        if member.state == "loading" and member.model_id is not None and ended.code not in KILLS:
            self.loading.count_failure(member.device, member.model_id, reason)
        else:
            self.fleet.count_death(member.device)

    def reason(self, member: Member, ended: Ended) -> str:
        if ended.rubbish is not None:
            return f"it wrote {ended.rubbish}"
        if member.last_words or member.ending:
            return member.last_words or str(member.ending)
        if ended.code < 0:
            hint = " (the kernel, out of memory?)" if ended.code == -9 else ""
            return f"killed by signal {-ended.code}{hint}"
        return f"exit code {ended.code}"

    def close(self, member: Member, outcome: str, detail: str | None = None) -> bool:
        """Ends the running attempt in the books; what becomes of its task is said elsewhere.

        False if its last rows could not be synced.
        """
        attempt = member.attempt
        if attempt is None:
            return True
        self.note_counts(member)
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
            attempt.log.close()
        return True

    def note_counts(self, member: Member) -> None:
        attempt = member.attempt
        if attempt is not None and self.books.ledger[attempt.task.id].rows != attempt.log.rows:
            self.books.ledger.count(attempt.task.id, attempt.counts, time.time())
            if attempt.log.errors:
                self.books.failures[attempt.task.id] = attempt.failures()

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
        task = self.books.ledger[task_id]
        if task.state == "done":
            self.books.event(
                "info",
                f"done: {task.captioned} captioned, {task.failed} failed, {task.seconds:.0f} s",
                task.device,
                self.books.models[task.model_id].name,
                task.shard,
            )

    # Watching

    def watch(self) -> None:
        now = time.monotonic()
        for member in list(self.members.values()):
            if member.ended_at is None:
                trouble = member.trouble(now, self.policy)
                if trouble is not None:
                    self.dismiss(member, trouble, strikes=True)
            elif not member.killed and now - member.ended_at > self.policy.kill_after:
                member.killed = True
                member.handle.kill()
            elif now - member.ended_at > self.policy.kill_after + self.policy.lost_after:
                self.give_up(member)
        for device_id in self.fleet.newly_lost():
            self.lose(device_id, "the GPU is not there any more")
        self.fleet.wake_rested()

    def dismiss(self, member: Member, why: str, strikes: bool) -> None:
        member.ending, member.strikes = why, strikes
        member.ended_at = time.monotonic()
        member.handle.terminate()

    def give_up(self, member: Member) -> None:
        """A process that outlives SIGKILL sits in the driver: its device is lost."""
        member.ending, member.strikes = "cannot be killed", False
        self.bury(member, Ended(0))
        self.lose(member.device, "its worker cannot be killed")

    def lose(self, device_id: str, why: str) -> None:
        for member in self.members.values():
            if member.device == device_id:
                self.dismiss(member, "device lost", strikes=False)
        if self.fleet.lose(device_id, why):
            self.books.pause("every device is lost")

    # The disk

    def cannot_write(self, error: OSError) -> None:
        """Stops cleanly and keeps what is written; a full disk is watched."""
        full = isinstance(error, DiskFull) or error.errno in NO_SPACE
        reason = DISK if full else f"the project cannot be written: {error}"
        if not self.books.settings.paused:
            self.books.event("fail", f"paused: {reason}")
            self.books.pause(reason)
        self.withdraw(reason)

    def watch_disk(self) -> None:
        """A run that a full disk paused goes on by itself when there is room again."""
        now = time.monotonic()
        paused = self.books.settings.pause_reason == DISK
        if not paused or now - self.disk_checked < self.policy.disk_retry:
            return
        self.disk_checked = now
        if shutil.disk_usage(self.project.folder).free >= self.policy.disk_floor:
            self.books.event("info", "there is room on the disk again")
            self.books.resume()

    # Assigning

    def withdraw(self, why: str) -> None:
        """Takes every task back: the batches in flight are lost, the models stay loaded."""
        for member in self.members.values():
            attempt = member.attempt
            if attempt is None:
                continue
            member.handle.send({"type": "cancel"})
            self.close(member, "withdrawn", why)
            self.books.ledger.release(attempt.task.id, time.time())

    def assign(self) -> None:
        if self.books.settings.paused or self.stopping is not None:
            return
        for device in self.fleet.ready():
            member = next((m for m in self.members.values() if m.device == device.id), None)
            if member is None:
                if self.choose(device, None) is not None:
                    self.start_worker(device)
            elif member.ending is None and member.attempt is None and member.state == "idle":
                self.give_work(member, device)
            elif member.attempt is not None and member.loaded:
                self.feed(member)

    def choose(self, device: DeviceRow, loaded: int | None) -> int | None:
        now = time.time()
        elsewhere = Counter(m.model_id for m in self.members.values() if m.device != device.id)
        demands = []
        for model in self.books.models.values():
            ready = (
                not model.blocked
                and self.fleet.may_load(device.id, model.id)
                and self.books.ledger.next_task(model.id, now) is not None
            )
            left = max(1, self.books.ledger.pending_left[model.id]) if ready else 0
            demands.append(Demand(model.id, left, elsewhere[model.id]))
        return choose_model(demands, loaded, device.pinned_model_id)

    def start_worker(self, device: DeviceRow) -> None:
        settings = self.books.settings
        try:
            handle = self.launcher.start(device, self.fleet.cores)
        except OSError as error:
            self.books.event("fail", f"cannot start a worker: {error}", device.id)
            self.fleet.rest(device.id)
            return
        handle.send(
            {
                "type": "start",
                "device": device.id.partition(":")[0],
                "threads": max(2, self.fleet.cores),
                "images": {
                    "root": str(self.project.image_root(settings)),
                    "path_map": settings.path_map,
                    "allow_outside": settings.allow_outside,
                    "witness": settings.witness,
                },
            }
        )
        self.members[handle.id] = member = Member(handle)
        self.give_work(member, device)

    def give_work(self, member: Member, device: DeviceRow) -> None:
        """Starts the next task on a free worker, or first the load of another model."""
        model_id = self.choose(device, member.model_id if member.loaded else None)
        if model_id is None:
            return
        if model_id != member.model_id:
            self.loading.ask(member, model_id)
            return
        task = self.books.ledger.next_task(model_id, time.time())
        if task is not None:
            self.start_task(member, task.id)

    def start_task(self, member: Member, task_id: int) -> None:
        ledger, now = self.books.ledger, time.time()
        task = ledger[task_id]
        shard = self.books.shards[task.shard]
        model = self.books.models[task.model_id]
        shard_file = self.project.shard_file(shard.number)
        try:
            damage = None if file_digest(shard_file) == shard.digest else "was changed"
        except FileNotFoundError:
            damage = "is missing"
        if damage:
            text = f"shards/{shard_file.name} {damage} since the input was split"
            self.books.event("fail", text, member.device, model.name, shard.number)
            ledger.fail(task_id, now, text)
            return
        task = ledger.start(task_id, member.device, now)
        try:
            log = log_of(self.books, task)
            suspects = self.suspects.in_order(task_id)
            attempt = begin(task, model, shard, shard_file, log, suspects)
        except OSError as error:
            ledger.release(task_id, now, str(error))
            self.cannot_write(error)
            return
        self.books.attempts[attempt.key] = AttemptRow(
            *attempt.key, member.handle.id, member.device, now
        )
        member.attempt, member.state = attempt, "captioning"
        member.progressed = time.monotonic()
        if attempt.log.left == 0:
            self.finish(member)
        else:
            self.feed(member)

    def feed(self, member: Member) -> None:
        """Keeps the worker supplied with a bounded number of records."""
        attempt = member.attempt
        if attempt is None:
            return
        chunk = max(self.policy.chunk, 2 * member.batch)
        while (message := attempt.next_records(chunk)) is not None:
            member.handle.send(message)

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

    # What people ask

    def answer_requests(self) -> None:
        now = time.monotonic()
        if now - self.requests_read < self.policy.tick:
            return
        self.requests_read = now
        with reading(self.project.database) as connection:
            waiting = requests.pending(connection)
        answered = {number for number, _, _ in self.books.answers}
        for request in waiting:
            if request.id in answered:
                continue
            state, note = carry_out(self.books, request, self)
            self.books.answers.append((request.id, state, note))
            self.committed = 0.0

    def paused(self) -> None:
        self.withdraw("paused")

    def forget_witness(self) -> None:
        for member in self.members.values():
            member.handle.send({"type": "forget_witness"})
