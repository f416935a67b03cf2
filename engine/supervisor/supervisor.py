"""The supervisor's loop: messages come in, rows are written, decisions are taken, state is saved.

All of it happens in one thread, and about once a second what changed is committed. This module
passes each message and each turn of the loop to whoever decides; the decisions themselves are in
the other modules of the package.
"""

from __future__ import annotations

import time
from dataclasses import replace

from db import requests, supervisor_writes
from db.connection import DatabaseBusy, DatabaseDamaged, DatabaseUnusable, reading
from db.rows import SupervisorRow
from engine.launchers.base import Launcher, WorkerExit, WorkerHandle
from engine.process import identity
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import Message
from engine.requests.handlers import answer_leftovers, handle_request
from engine.state.model_backoff import ModelBackoff, wake_models
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.state.reconcile import reconcile
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.dispatcher import Dispatcher
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.resource_watch import ResourceWatch
from engine.supervisor.server_outages import ServerOutages
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.watchdog import Watchdog
from engine.supervisor.worker_exit import WorkerExitHandler
from engine.supervisor.worker_state import WorkerState
from engine.utils.errors import BadInput


class Supervisor:
    """One run of a project: its devices, workers and tasks, from `run` until it returns."""

    def __init__(
        self,
        project: Project,
        launcher: Launcher,
        policy: Policy | None = None,
        spec: str = "auto",
        *,
        lock: ProjectLock,
    ) -> None:
        """Read the project's state. The caller holds `lock`; `spec` names the devices."""
        self.lock = lock
        self.policy = policy or Policy()
        self.project = project
        self.launcher = launcher
        self.project_state = ProjectState(project, self.policy)
        self.device_pool = DevicePool(launcher.devices(), self.project_state, self.policy)
        self.backoff = ModelBackoff(self.project_state, self.policy)
        self.workers: dict[str, WorkerState] = {}
        """The live workers by worker id. The parts below share this dictionary."""
        self.model_loader = ModelLoader(
            self.workers, self.project_state, self.device_pool, self.backoff, self.policy
        )
        suspects = PoisonDetector(self.policy.poison_deaths)
        server_suspects = PoisonDetector(self.policy.server_deaths)
        self.task_runner = TaskRunner(
            self.workers,
            self.project_state,
            self.device_pool,
            suspects,
            server_suspects,
            self.backoff,
            self.policy,
        )
        self.outages = ServerOutages(
            self.project_state, self.task_runner, server_suspects, self.policy
        )
        self.worker_exits = WorkerExitHandler(
            self.project_state,
            self.device_pool,
            self.model_loader,
            self.task_runner,
            suspects,
            self.policy,
        )
        self.dispatcher = Dispatcher(
            launcher,
            self.workers,
            self.project_state,
            self.device_pool,
            self.backoff,
            self.model_loader,
            self.task_runner,
        )
        self.watchdog = Watchdog(
            launcher,
            self.workers,
            self.project_state,
            self.device_pool,
            self.worker_exits,
            self.policy,
        )
        self.resource_watch = ResourceWatch(
            project, self.project_state, self.device_pool, self.policy
        )
        self.row = SupervisorRow(
            *identity.this_process(), host=identity.host_name(), heartbeat=time.time(), devices=spec
        )
        self.stopping: str | None = None
        """How the run was asked to stop, "now" or "after_shard"; None if it was not."""
        self.committed_at = 0.0
        """When the last commit was, on the monotonic clock; 0 has the next turn commit."""
        self.requests_read = 0.0
        """When requests were last read, on the monotonic clock."""

    # The loop

    def run(self) -> bool:
        """Work until nothing is left or the run is stopped.

        Returns True if no task is left pending or running. Raises `BadInput`, `DatabaseError`,
        `OSError` if the project cannot be worked on.
        """
        keep_manifest(self.project, self.project_state)
        self.device_pool.save()
        reconcile(self.project_state)
        wake_models(self.project_state)
        answer_leftovers(self.project_state)
        named = ", ".join(self.device_pool.devices) or "no device yet: it waits for nodes"
        self.project_state.event("info", f"started on {named}")
        self.commit(force=True)
        try:
            while not self.is_finished():
                self.check_lock()
                for handle, message in self.launcher.receive(self.policy.tick):
                    self.receive(handle, message)
                self.watchdog.check()
                self.answer_requests()
                self.resource_watch.check_disk()
                self.resource_watch.bound_logs()
                self.dispatcher.dispatch(stopping=self.stopping is not None)
                self.task_runner.sync_logs()
                self.commit()
        finally:
            self.shut_down()
        return self.project_state.ledger.finished

    def is_finished(self) -> bool:
        """Return True if the loop has to end: stopped, or nothing left to do and to wait for."""
        if self.stopping == "now":
            return True
        working = any(worker.attempt for worker in self.workers.values())
        return not working and (
            self.stopping == "after_shard" or self.project_state.ledger.finished
        )

    def check_lock(self) -> None:
        """Raise `BadInput` if the project folder is not where it was.

        Another project may be there now, which this run must not write to.
        """
        if not self.lock.intact():
            raise BadInput(
                f"{self.project.folder} was moved or its lock removed while it ran:"
                " the run has ended, what was captioned is kept"
            )

    def stop(self, after_shard: bool = False) -> None:
        """Ask the loop to end, now or after the running shards; safe in a signal handler."""
        self.stopping = "after_shard" if after_shard and self.stopping != "now" else "now"

    def shut_down(self) -> None:
        """End the workers, keep the rows that they still sent, release the tasks, and save."""
        for worker in self.workers.values():
            worker.end_reason = worker.end_reason or "stopped"
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
        self.save_final_state()

    def save_final_state(self) -> None:
        """Commit, trying again for up to `Policy.kill_after` seconds.

        What cannot be saved is found in the caption logs by the next run.
        """
        deadline = time.monotonic() + self.policy.kill_after
        while self.lock.intact() and time.monotonic() < deadline:
            try:
                self.project_state.commit()
                return
            except DatabaseDamaged:
                return
            except (DatabaseBusy, OSError):
                time.sleep(self.policy.tick)

    def commit(self, force: bool = False) -> None:
        """Save what changed, if `Policy.commit_every` seconds have passed or `force` is True.

        A busy database is tried again in the next turn; one that cannot be written pauses the run.
        """
        now = time.monotonic()
        if not force and now - self.committed_at < self.policy.commit_every:
            return
        for worker in self.workers.values():
            self.project_state.workers[worker.handle.id] = worker.to_row(now)
        self.task_runner.update_counts(self.workers.values())
        self.model_loader.fail_tasks_of_blocked_models()
        self.project_state.devices = self.device_pool.update_measurements()
        self.row = replace(self.row, heartbeat=time.time(), stopping=self.stopping)
        try:
            self.project_state.commit(self.row)
        except DatabaseBusy:  # a reader that was stopped in mid-read: next tick
            return
        except OSError as error:
            self.task_runner.on_write_error(error)
        self.committed_at = now
        self.task_runner.sample_ring.on_commit()

    # Messages of workers

    def receive(self, handle: WorkerHandle, message: Message | WorkerExit) -> None:
        """Carry out one message of a worker, or its exit."""
        worker = self.workers.get(handle.id)
        if worker is None:
            return
        if isinstance(message, WorkerExit):
            del self.workers[handle.id]
            self.worker_exits.on_worker_exit(worker, message)
            return
        worker.last_message_at = time.monotonic()
        match message["type"]:
            case "rows":
                self.task_runner.on_rows(worker, message)
            case "decoding" | "generating":
                self.task_runner.on_in_progress(worker, message)
            case "loading" | "asking" | "computing":
                worker.progressed_at = time.monotonic()
                worker.reports_layers = worker.reports_layers or message["type"] == "computing"
            case "waiting":
                self.on_waiting(worker, message)
            case "loaded":
                self.model_loader.on_loaded(worker, message)
            case "load_failed":
                self.model_loader.on_load_failed(worker, message)
            case "unavailable":
                self.outages.on_unavailable(worker, message["records"])
                self.task_runner.release_task(worker, message["text"])
                self.model_loader.on_unavailable(worker, message)
            case "batch":
                self.model_loader.on_batch_changed(worker, message)
            case "root_lost":
                self.on_root_lost(worker, message)
            case "stuck" | "failed":
                self.on_failed(worker, message)

    def on_root_lost(self, worker: WorkerState, message: Message) -> None:
        """Pause the run, or rest this machine only if another machine can go on."""
        if worker.attempt is None or message["attempt"] != worker.attempt.number:
            return
        if self.device_pool.ready_on_other_machines(worker.device):
            self.project_state.event("fail", message["text"], worker.device)
            self.task_runner.cancel_tasks(
                "image root lost", self.device_pool.devices_of_machine(worker.device)
            )
            self.device_pool.rest_machine(worker.device)
        else:
            self.project_state.event("fail", f"paused: {message['text']}", worker.device)
            self.project_state.pause(message["text"])
            self.task_runner.cancel_tasks("image root lost")

    def on_waiting(self, worker: WorkerState, message: Message) -> None:
        """Note that the worker waits for a slot to run in, which is no fault of its model."""
        worker.progressed_at = time.monotonic()
        if not worker.waits_for_slot:
            self.project_state.event("info", message["text"], worker.device)
        worker.waits_for_slot = True

    def on_failed(self, worker: WorkerState, message: Message) -> None:
        """Note why the worker is about to exit; its exit is judged when it comes."""
        worker.failure_text = message["text"]
        worker.strikes_task = message["type"] == "failed"
        worker.stuck_in_read = message["type"] == "stuck"

    # Requests of people

    def answer_requests(self) -> None:
        """Carry out the requests that came since the last turn; the next commit saves answers."""
        now = time.monotonic()
        if now - self.requests_read < self.policy.tick:
            return
        self.requests_read = now
        try:
            with reading(self.project.database) as connection:
                waiting = requests.pending(connection)
        except (DatabaseBusy, DatabaseUnusable):
            return
        answered = {number for number, _, _ in self.project_state.answers}
        for request in waiting:
            if request.id in answered:
                continue
            state, note = handle_request(self.project_state, request, self)
            self.project_state.answers.append((request.id, state, note))
            self.committed_at = 0.0

    def on_paused(self) -> None:
        """Take all tasks back from the workers, which keep their models loaded."""
        self.task_runner.cancel_tasks("paused")

    def cancel_task(self, task_id: int) -> None:
        """Take one task back from its worker, if one has it."""
        self.task_runner.cancel_task(task_id)

    def forget_witness(self) -> None:
        """Have the workers probe for missing images with the image root alone."""
        for worker in self.workers.values():
            worker.handle.send({"type": "forget_witness"})
