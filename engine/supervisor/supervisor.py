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
from engine.launchers.base import Launcher, WorkerExit, WorkerHandle
from engine.process import identity
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import Message
from engine.requests.handlers import answer_leftovers, handle_request
from engine.state.model_backoff import ModelBackoff, wake
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.state.reconcile import reconcile
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.scheduler import Demand, choose_model
from engine.supervisor.server_outages import ServerOutages
from engine.supervisor.task_runner import DISK, TaskRunner
from engine.supervisor.worker_exit import WorkerExitHandler
from engine.supervisor.worker_state import WorkerState
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
        self.project_state = ProjectState(project, self.policy)
        self.device_pool = DevicePool(launcher.devices(), self.project_state, self.policy)
        self.backoff = ModelBackoff(self.project_state, self.policy)
        self.workers: dict[str, WorkerState] = {}
        self.loading = ModelLoader(
            self.workers, self.project_state, self.device_pool, self.backoff, self.policy
        )
        suspects = PoisonDetector(self.policy.poison_deaths)
        server_suspects = PoisonDetector(self.policy.server_deaths)
        self.running = TaskRunner(
            self.workers,
            self.project_state,
            self.device_pool,
            suspects,
            server_suspects,
            self.backoff,
            self.policy,
        )
        self.outages = ServerOutages(self.project_state, self.running, server_suspects, self.policy)
        self.worker_exits = WorkerExitHandler(
            self.project_state, self.device_pool, self.loading, self.running, suspects, self.policy
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
        keep_manifest(self.project, self.project_state)
        self.save_devices()
        reconcile(self.project_state)
        wake(self.project_state)
        answer_leftovers(self.project_state)
        named = ", ".join(self.device_pool.devices) or "no device yet: it waits for nodes"
        self.project_state.event("info", f"started on {named}")
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
        return self.project_state.ledger.finished

    def over(self) -> bool:
        if self.stopping == "now":
            return True
        working = any(worker.attempt for worker in self.workers.values())
        return not working and (
            self.stopping == "after_shard" or self.project_state.ledger.finished
        )

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
        for worker in self.workers.values():
            worker.ending = worker.ending or "stopped"
            worker.handle.kill()
        deadline = time.monotonic() + self.policy.kill_after
        while self.workers and time.monotonic() < deadline:
            for handle, message in self.launcher.receive(self.policy.tick):
                self.receive(handle, message)
        self.launcher.close()
        self.project_state.event(
            "info", "finished" if self.project_state.ledger.finished else "stopped"
        )
        self.project_state.writes.append(supervisor_writes.forget_supervisor)
        self.save_at_last()

    def save_at_last(self) -> None:
        """What cannot be saved now is found in the caption logs by the next run."""
        deadline = time.monotonic() + self.policy.kill_after
        while self.lock.intact() and time.monotonic() < deadline:
            try:
                self.project_state.commit()
                return
            except Damaged:
                return
            except (Busy, OSError):
                time.sleep(self.policy.tick)

    def commit(self, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self.committed < self.policy.commit_every:
            return
        for worker in self.workers.values():
            self.project_state.workers[worker.handle.id] = worker.row(now)
        self.running.note_counts(self.workers.values())
        self.loading.fail_blocked()
        self.project_state.devices = self.device_pool.measured()
        self.row = replace(self.row, heartbeat=time.time(), stopping=self.stopping)
        try:
            self.project_state.commit(self.row)
        except Busy:  # a reader that was stopped in mid-read: next tick
            return
        except OSError as error:
            self.running.cannot_write(error)
        self.committed = now
        self.running.sample_ring.committed()

    # What workers say

    def receive(self, handle: WorkerHandle, message: Message | WorkerExit) -> None:
        worker = self.workers.get(handle.id)
        if worker is None:
            return
        if isinstance(message, WorkerExit):
            del self.workers[handle.id]
            self.worker_exits.on_worker_exit(worker, message)
            return
        worker.heard = time.monotonic()
        match message["type"]:
            case "rows":
                self.running.take_rows(worker, message)
            case "decoding" | "generating":
                self.running.note_touched(worker, message)
            case "loading" | "asking" | "computing":
                worker.progressed = time.monotonic()
                worker.reports_layers = worker.reports_layers or message["type"] == "computing"
            case "waiting":
                self.waiting(worker, message)
            case "loaded":
                self.loading.loaded(worker, message)
            case "load_failed":
                self.loading.failed(worker, message)
            case "unavailable":
                self.outages.note(worker, message["records"])
                self.running.let_go(worker, message["text"])
                self.loading.unavailable(worker, message)
            case "batch":
                self.loading.batch_changed(worker, message)
            case "root_lost":
                self.root_lost(worker, message)
            case "stuck" | "failed":
                self.failed(worker, message)

    def root_lost(self, worker: WorkerState, message: Message) -> None:
        """Only this machine rests where another one goes on."""
        if worker.attempt is None or message["attempt"] != worker.attempt.number:
            return
        if self.device_pool.ready_elsewhere(worker.device):
            self.project_state.event("fail", message["text"], worker.device)
            self.running.withdraw("image root lost", self.device_pool.mates(worker.device))
            self.device_pool.rest_machine(worker.device)
        else:
            self.project_state.event("fail", f"paused: {message['text']}", worker.device)
            self.project_state.pause(message["text"])
            self.running.withdraw("image root lost")

    def waiting(self, worker: WorkerState, message: Message) -> None:
        """It has no place to run yet, which is no fault of the model that it is to load."""
        worker.progressed = time.monotonic()
        if not worker.waited:
            self.project_state.event("info", message["text"], worker.device)
        worker.waited = True

    def failed(self, worker: WorkerState, message: Message) -> None:
        worker.last_words = message["text"]
        worker.strikes = message["type"] == "failed"
        worker.stuck = message["type"] == "stuck"

    # Watching

    def watch(self) -> None:
        now = time.monotonic()
        for worker in list(self.workers.values()):
            if worker.ended_at is None:
                hang_reason = worker.hang_reason(now, self.policy)
                if hang_reason is not None:
                    self.dismiss(worker, hang_reason, strikes=True)
            elif not worker.killed and now - worker.ended_at > self.policy.kill_after:
                worker.killed = True
                worker.handle.kill()
            elif now - worker.ended_at > self.policy.kill_after + self.policy.lost_after:
                self.give_up(worker)
        self.meet_devices()
        for device_id in self.device_pool.newly_lost():
            self.lose(device_id, "the GPU is not there any more")
        self.device_pool.wake_rested()

    def meet_devices(self) -> None:
        known = self.device_pool.devices.keys() | set()
        left = self.device_pool.meet(self.launcher.devices())
        for worker in self.workers.values():
            if worker.device in left and worker.ending is None:
                self.dismiss(worker, "its node has left the cluster", strikes=False)
        if self.device_pool.devices.keys() != known:
            self.save_devices()

    def save_devices(self) -> None:
        devices = list(self.device_pool.devices.values())
        self.project_state.writes.append(
            lambda connection: supervisor_writes.set_devices(connection, devices)
        )

    def dismiss(self, worker: WorkerState, why: str, strikes: bool) -> None:
        worker.ending, worker.strikes = why, strikes
        worker.ended_at = time.monotonic()
        worker.handle.terminate()

    def give_up(self, worker: WorkerState) -> None:
        """A process that outlives SIGKILL sits in the driver: its device is lost."""
        worker.ending, worker.strikes = "cannot be killed", False
        del self.workers[worker.handle.id]
        self.worker_exits.on_worker_exit(worker, WorkerExit(0))
        self.lose(worker.device, "its worker cannot be killed")

    def lose(self, device_id: str, why: str) -> None:
        for worker in self.workers.values():
            if worker.device == device_id:
                self.dismiss(worker, "device lost", strikes=False)
        if self.device_pool.lose(device_id, why):
            self.project_state.pause("every device is lost")

    # The disk

    def watch_disk(self) -> None:
        """A run that a full disk paused goes on by itself when there is room again."""
        now = time.monotonic()
        paused = self.project_state.settings.pause_reason == DISK
        if not paused or now - self.disk_checked < self.policy.disk_retry:
            return
        self.disk_checked = now
        if shutil.disk_usage(self.project.folder).free >= self.policy.disk_floor:
            self.project_state.event("info", "there is room on the disk again")
            self.project_state.resume()

    # The logs

    def watch_logs(self) -> None:
        now = time.monotonic()
        if now < self.next_logs:
            return
        self.next_logs = now + self.policy.log_every
        workers = [self.project.worker_log(device) for device in self.device_pool.devices]
        for log in (*workers, self.project.supervisor_log):
            with suppress(OSError):
                bound(log, self.policy.log_limit)

    # Assigning

    def assign(self) -> None:
        if self.project_state.settings.paused:
            return
        workers = {worker.device: worker for worker in self.workers.values()}
        for device in self.device_pool.ready():
            worker = workers.get(device.id)
            if worker is not None and worker.attempt is not None:
                if worker.loaded:
                    self.running.feed(worker)
            elif self.stopping is not None:
                continue
            elif worker is None:
                if self.choose(device, None) is not None:
                    self.start_worker(device)
            elif worker.ending is None and worker.state == "idle":
                self.give_work(worker, device)

    def choose(self, device: DeviceRow, loaded: int | None) -> int | None:
        now = time.time()
        elsewhere = Counter(m.model_id for m in self.workers.values() if m.device != device.id)
        demands = []
        for model in self.project_state.models.values():
            ready = (
                not model.blocked
                and self.backoff.over(model)
                and self.device_pool.may_load(device.id, model.id)
                and self.project_state.ledger.next_task(model.id, now) is not None
            )
            left = max(1, self.project_state.ledger.pending_left[model.id]) if ready else 0
            demands.append(Demand(model.id, left, elsewhere[model.id]))
        return choose_model(demands, loaded, device.pinned_model_id)

    def start_worker(self, device: DeviceRow) -> None:
        settings = self.project_state.settings
        try:
            handle = self.launcher.start(device)
        except OSError as error:
            self.project_state.event("fail", f"cannot start a worker: {error}", device.id)
            self.device_pool.rest(device.id)
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
        self.workers[handle.id] = worker = WorkerState(handle)
        self.give_work(worker, device)

    def give_work(self, worker: WorkerState, device: DeviceRow) -> None:
        """Starts the next task on a free worker, or first the load of another model."""
        model_id = self.choose(device, worker.model_id if worker.loaded else None)
        if model_id is None:
            return
        if model_id != worker.model_id:
            self.loading.ask(worker, model_id)
            return
        task = self.project_state.ledger.next_task(model_id, time.time())
        if task is not None:
            self.running.start(worker, task.id)

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
        answered = {number for number, _, _ in self.project_state.answers}
        for request in waiting:
            if request.id in answered:
                continue
            state, note = handle_request(self.project_state, request, self)
            self.project_state.answers.append((request.id, state, note))
            self.committed = 0.0

    def paused(self) -> None:
        self.running.withdraw("paused")

    def take_back(self, task_id: int) -> None:
        self.running.take_back(task_id)

    def forget_witness(self) -> None:
        for worker in self.workers.values():
            worker.handle.send({"type": "forget_witness"})
