"""Decides what runs where and writes what comes back. One per project; no torch in it.

Everything happens in one thread: messages come in, rows go to the caption logs, decisions are
taken, and about once a second what changed is committed.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace

from db import requests, supervisor_writes
from db.connection import Busy, Damaged, Unusable, reading
from db.rows import DeviceRow, SupervisorRow
from engine.hardware.devices import kind
from engine.launchers.base import Ended, Launcher, WorkerHandle
from engine.process import identity
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import Message
from engine.requests.handlers import answer_leftovers, carry_out
from engine.state.model_backoff import Waits, wake
from engine.state.policy import Policy
from engine.state.project_state import Books, keep_manifest
from engine.state.reconcile import reconcile
from engine.supervisor.device_pool import Fleet
from engine.supervisor.model_loading import Loading
from engine.supervisor.poison import Suspects
from engine.supervisor.scheduler import Demand, choose_model
from engine.supervisor.server_outages import Outages
from engine.supervisor.task_runner import DISK, Running
from engine.supervisor.worker_exit import Deaths
from engine.supervisor.worker_state import Member
from engine.utils.errors import BadInput
from engine.utils.log_rotation import bound


class Supervisor:
    def __init__(
        self,
        project: Project,
        launcher: Launcher,
        policy: Policy | None = None,
        spec: str = "auto",
        *,
        lock: ProjectLock,
    ) -> None:
        """The caller holds the project's lock."""
        self.lock = lock
        self.policy = policy or Policy()
        self.project = project
        self.launcher = launcher
        self.books = Books(project, self.policy)
        self.fleet = Fleet(launcher.devices(), self.books, self.policy)
        self.waits = Waits(self.books, self.policy)
        self.members: dict[str, Member] = {}
        self.loading = Loading(self.members, self.books, self.fleet, self.waits, self.policy)
        suspects = Suspects(self.policy.poison_deaths)
        felling = Suspects(self.policy.server_deaths)
        self.running = Running(
            self.members, self.books, self.fleet, suspects, felling, self.waits, self.policy
        )
        self.outages = Outages(self.books, self.running, felling, self.policy)
        self.deaths = Deaths(
            self.books, self.fleet, self.loading, self.running, suspects, self.policy
        )
        self.row = SupervisorRow(
            *identity.this(), host=identity.host(), heartbeat=time.time(), devices=spec
        )
        self.stopping: str | None = None
        self.committed = 0.0
        self.disk_checked = self.next_logs = 0.0
        self.requests_read = 0.0

    # The loop

    def run(self) -> bool:
        """Works until nothing is left or someone stops it; whether every task came to its end.

        Raises `BadInput`, `DatabaseError`, `OSError` if the project cannot be worked on.
        """
        keep_manifest(self.project, self.books)
        self.save_devices()
        reconcile(self.books)
        wake(self.books)
        answer_leftovers(self.books)
        named = ", ".join(self.fleet.devices) or "no device yet: it waits for nodes"
        self.books.event("info", f"started on {named}")
        self.commit(force=True)
        try:
            while not self.over():
                self.stay()
                for handle, message in self.launcher.receive(self.policy.tick):
                    self.receive(handle, message)
                self.watch()
                self.answer_requests()
                self.watch_disk()
                self.watch_logs()
                self.assign()
                self.running.sync()
                self.commit()
        finally:
            self.end()
        return self.books.ledger.finished

    def over(self) -> bool:
        if self.stopping == "now":
            return True
        working = any(member.attempt for member in self.members.values())
        return not working and (self.stopping == "after_shard" or self.books.ledger.finished)

    def stay(self) -> None:
        """Raises `BadInput` if the folder is not where it was: another may be there now."""
        if not self.lock.intact():
            raise BadInput(
                f"{self.project.folder} was moved or its lock removed while it ran:"
                " the run has ended, what was captioned is kept"
            )

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
        self.books.event("info", "finished" if self.books.ledger.finished else "stopped")
        self.books.writes.append(supervisor_writes.forget_supervisor)
        self.save_at_last()

    def save_at_last(self) -> None:
        """What cannot be saved now is found in the caption logs by the next run."""
        deadline = time.monotonic() + self.policy.kill_after
        while self.lock.intact() and time.monotonic() < deadline:
            try:
                self.books.commit()
                return
            except Damaged:
                return
            except (Busy, OSError):
                time.sleep(self.policy.tick)

    def commit(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self.committed < self.policy.commit_every:
            return
        for member in self.members.values():
            self.books.workers[member.handle.id] = member.row(now)
        self.running.note_counts(self.members.values())
        self.loading.fail_blocked()
        self.books.devices = self.fleet.measured()
        self.row = replace(self.row, heartbeat=time.time(), stopping=self.stopping)
        try:
            self.books.commit(self.row)
        except Busy:  # a reader that was stopped in mid-read: next tick
            return
        except OSError as error:
            self.running.cannot_write(error)
        self.committed = now
        self.running.showcase.committed()

    # What workers say

    def receive(self, handle: WorkerHandle, message: Message | Ended) -> None:
        member = self.members.get(handle.id)
        if member is None:
            return
        if isinstance(message, Ended):
            del self.members[handle.id]
            self.deaths.bury(member, message)
            return
        member.heard = time.monotonic()
        match message["type"]:
            case "rows":
                self.running.take_rows(member, message)
            case "decoding" | "generating":
                self.running.note_touched(member, message)
            case "loading" | "asking" | "computing":
                member.progressed = time.monotonic()
                member.tells = member.tells or message["type"] == "computing"
            case "waiting":
                self.waiting(member, message)
            case "loaded":
                self.loading.loaded(member, message)
            case "load_failed":
                self.loading.failed(member, message)
            case "unavailable":
                self.outages.note(member, message["records"])
                self.running.let_go(member, message["text"])
                self.loading.unavailable(member, message)
            case "batch":
                self.loading.batch_changed(member, message)
            case "root_lost":
                self.root_lost(member, message)
            case "stuck" | "failed":
                self.failed(member, message)

    def root_lost(self, member: Member, message: Message) -> None:
        """Only this machine rests where another one goes on."""
        if member.attempt is None or message["attempt"] != member.attempt.number:
            return
        if self.fleet.ready_elsewhere(member.device):
            self.books.event("fail", message["text"], member.device)
            self.running.withdraw("image root lost", self.fleet.mates(member.device))
            self.fleet.rest_machine(member.device)
        else:
            self.books.event("fail", f"paused: {message['text']}", member.device)
            self.books.pause(message["text"])
            self.running.withdraw("image root lost")

    def waiting(self, member: Member, message: Message) -> None:
        """It has no place to run yet, which is no fault of the model that it is to load."""
        member.progressed = time.monotonic()
        if not member.waited:
            self.books.event("info", message["text"], member.device)
        member.waited = True

    def failed(self, member: Member, message: Message) -> None:
        member.last_words = message["text"]
        member.strikes = message["type"] == "failed"
        member.stuck = message["type"] == "stuck"

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
        self.meet_devices()
        for device_id in self.fleet.newly_lost():
            self.lose(device_id, "the GPU is not there any more")
        self.fleet.wake_rested()

    def meet_devices(self) -> None:
        known = self.fleet.devices.keys() | set()
        left = self.fleet.meet(self.launcher.devices())
        for member in self.members.values():
            if member.device in left and member.ending is None:
                self.dismiss(member, "its node has left the cluster", strikes=False)
        if self.fleet.devices.keys() != known:
            self.save_devices()

    def save_devices(self) -> None:
        devices = list(self.fleet.devices.values())
        self.books.writes.append(
            lambda connection: supervisor_writes.set_devices(connection, devices)
        )

    def dismiss(self, member: Member, why: str, strikes: bool) -> None:
        member.ending, member.strikes = why, strikes
        member.ended_at = time.monotonic()
        member.handle.terminate()

    def give_up(self, member: Member) -> None:
        """A process that outlives SIGKILL sits in the driver: its device is lost."""
        member.ending, member.strikes = "cannot be killed", False
        del self.members[member.handle.id]
        self.deaths.bury(member, Ended(0))
        self.lose(member.device, "its worker cannot be killed")

    def lose(self, device_id: str, why: str) -> None:
        for member in self.members.values():
            if member.device == device_id:
                self.dismiss(member, "device lost", strikes=False)
        if self.fleet.lose(device_id, why):
            self.books.pause("every device is lost")

    # The disk

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

    # The logs

    def watch_logs(self) -> None:
        now = time.monotonic()
        if now < self.next_logs:
            return
        self.next_logs = now + self.policy.log_every
        workers = [self.project.worker_log(device) for device in self.fleet.devices]
        for log in (*workers, self.project.supervisor_log):
            with suppress(OSError):
                bound(log, self.policy.log_limit)

    # Assigning

    def assign(self) -> None:
        if self.books.settings.paused:
            return
        members = {member.device: member for member in self.members.values()}
        for device in self.fleet.ready():
            member = members.get(device.id)
            if member is not None and member.attempt is not None:
                if member.loaded:
                    self.running.feed(member)
            elif self.stopping is not None:
                continue
            elif member is None:
                if self.choose(device, None) is not None:
                    self.start_worker(device)
            elif member.ending is None and member.state == "idle":
                self.give_work(member, device)

    def choose(self, device: DeviceRow, loaded: int | None) -> int | None:
        now = time.time()
        elsewhere = Counter(m.model_id for m in self.members.values() if m.device != device.id)
        demands = []
        for model in self.books.models.values():
            ready = (
                not model.blocked
                and self.waits.over(model)
                and self.fleet.may_load(device.id, model.id)
                and self.books.ledger.next_task(model.id, now) is not None
            )
            left = max(1, self.books.ledger.pending_left[model.id]) if ready else 0
            demands.append(Demand(model.id, left, elsewhere[model.id]))
        return choose_model(demands, loaded, device.pinned_model_id)

    def start_worker(self, device: DeviceRow) -> None:
        settings = self.books.settings
        try:
            handle = self.launcher.start(device)
        except OSError as error:
            self.books.event("fail", f"cannot start a worker: {error}", device.id)
            self.fleet.rest(device.id)
            return
        handle.send(
            {
                "type": "start",
                "device": kind(device.id),
                "threads": max(2, handle.cores),
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
            self.running.start(member, task.id)

    # What people ask

    def answer_requests(self) -> None:
        now = time.monotonic()
        if now - self.requests_read < self.policy.tick:
            return
        self.requests_read = now
        try:
            with reading(self.project.database) as connection:
                waiting = requests.pending(connection)
        except (Busy, Unusable):
            return
        answered = {number for number, _, _ in self.books.answers}
        for request in waiting:
            if request.id in answered:
                continue
            state, note = carry_out(self.books, request, self)
            self.books.answers.append((request.id, state, note))
            self.committed = 0.0

    def paused(self) -> None:
        self.running.withdraw("paused")

    def take_back(self, task_id: int) -> None:
        self.running.take_back(task_id)

    def forget_witness(self) -> None:
        for member in self.members.values():
            member.handle.send({"type": "forget_witness"})
