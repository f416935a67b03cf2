"""The supervisor's loop: messages come in, rows are written, decisions are taken, state is saved.

All of it happens in one thread, and about once a second what changed is committed. This module
passes each message and each turn of the loop to whoever decides; the decisions themselves are in
the other modules of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shlex import quote

from db import notices, progress, requests, supervisor_writes
from db.connection import DatabaseBusy, DatabaseDamaged, DatabaseUnusable, reading
from db.rows import SupervisorRow
from engine.hardware.devices import GpuMonitor
from engine.launchers.base import Launcher, WorkerExit, WorkerHandle
from engine.notices.hooks import read_hooks
from engine.notices.notifier import start_notifier
from engine.notices.run_end import death_notice, end_key, finished_key
from engine.process import identity
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import (
    BatchChanged,
    Decoding,
    Failed,
    ForgetWitness,
    FromWorker,
    Generating,
    LayerComputed,
    Loaded,
    LoadFailed,
    Loading,
    Ready,
    RequestEnded,
    RootLost,
    Rows,
    Stuck,
    Unavailable,
    WaitingForSlot,
)
from engine.requests.handlers import answer_leftovers, answer_request
from engine.state.health_stops import all_stopped_by_health, let_models_go_on
from engine.state.killed_run import killed_event
from engine.state.model_backoff import ModelBackoff, wake_models
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, keep_manifest
from engine.state.reconcile import reconcile
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.disk_watch import DiskWatch
from engine.supervisor.dispatcher import Dispatcher
from engine.supervisor.health_watch import HealthWatch
from engine.supervisor.log_watch import LogWatch
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.pause_watch import PauseWatch, free_disk_bytes
from engine.supervisor.poison import PoisonDetector
from engine.supervisor.server_outages import ServerOutages
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.wait_reporter import WaitReporter
from engine.supervisor.watchdog import Watchdog
from engine.supervisor.worker_exit import WorkerExitHandler
from engine.supervisor.worker_state import WorkerState
from engine.utils.clock import Clock, SystemClock
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
        clock: Clock | None = None,
        free_bytes: Callable[[Path], int] = free_disk_bytes,
        project_state: ProjectState | None = None,
    ) -> None:
        """Read the project's state, unless it is handed in. The caller holds `lock`.

        `spec` names the devices. `clock` and `free_bytes` (of a disk, by folder) are those of this
        machine unless others are handed in.
        """
        self.lock = lock
        self.policy = policy or Policy()
        self.project = project
        self.launcher = launcher
        self.clock = clock or SystemClock()
        self.project_state = project_state or ProjectState.load(project, self.policy, self.clock)
        devices = launcher.devices()
        self.device_pool = DevicePool(devices, self.project_state, self.policy, GpuMonitor(devices))
        self.backoff = ModelBackoff(self.project_state, self.policy)
        self.workers: dict[str, WorkerState] = {}
        """The live workers by worker id. The parts below share this dictionary."""
        self.model_loader = ModelLoader(
            self.workers, self.project_state, self.device_pool, self.backoff, self.policy
        )
        suspects = PoisonDetector()
        server_suspects = PoisonDetector()
        self.task_runner = TaskRunner(
            self.workers,
            self.project_state,
            self.device_pool,
            suspects,
            server_suspects,
            self.backoff,
            self.policy,
        )
        self.health_watch = HealthWatch(
            self.project_state, self.policy, self.task_runner.cancel_model
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
        self.wait_reporter = WaitReporter(
            self.workers, self.project_state, self.device_pool, self.policy
        )
        self.pause_watch = PauseWatch(
            project, self.project_state, self.device_pool, self.policy, free_bytes
        )
        self.disk_watch = DiskWatch(project, self.project_state, self.policy, free_bytes)
        self.log_watch = LogWatch(project, self.device_pool, self.policy, self.clock)
        pid, created, boot_id = identity.this_process()
        self.row = SupervisorRow(
            pid=pid,
            created=created,
            boot_id=boot_id,
            host=identity.host_name(),
            heartbeat=self.clock.time(),
            devices=spec,
        )
        self.stopping: str | None = None
        """How the run was asked to stop, "now" or "after_shard"; None if it was not."""
        self.broken = False
        """True once an error has ended the loop."""
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
        try:
            self.prepare()
        except BaseException:
            self.launcher.close()
            raise
        try:
            while not self.is_finished():
                self.check_lock()
                for handle, message in self.launcher.receive(self.policy.tick):
                    self.receive(handle, message)
                self.watchdog.check()
                self.answer_requests()
                self.pause_watch.check()
                self.disk_watch.check()
                self.log_watch.bound_logs()
                self.task_runner.count_scores()
                self.health_watch.turn()
                self.dispatcher.dispatch(stopping=self.stopping is not None)
                self.task_runner.sync_logs()
                self.commit()
        except BaseException as error:
            self.broken = True
            if isinstance(error, DatabaseDamaged):
                self.check_lock()  # it is not there, either, when the project was moved
            raise
        finally:
            self.shut_down()
        self.check_lock()  # if it was lost in the last turn, nothing of that turn was saved
        return self.project_state.ledger.finished

    def prepare(self) -> None:
        """Bring the project's state up to its files and to what people asked meanwhile."""
        keep_manifest(self.project, self.project_state)
        self.check_hooks()
        self.tell_last_end()
        if self.project_state.killed_at is not None:
            self.project_state.events.append(killed_event(self.project_state.killed_at))
        self.device_pool.save()
        reconcile(self.project_state)
        wake_models(self.project_state)
        if not self.policy.health_stop:
            let_models_go_on(self.project_state)
        answer_leftovers(self.project_state)
        named = ", ".join(self.device_pool.devices) or "no device yet: the run waits for nodes"
        self.project_state.event("info", f"started on {named}")
        self.commit(force=True)

    def check_hooks(self) -> None:
        """Tell if the user's hooks make no sense: none is called then."""
        try:
            read_hooks()
        except BadInput as error:
            self.project_state.event("warn", str(error))

    def tell_last_end(self) -> None:
        """Tell the end of the last run if that could not, and have what waits delivered."""
        with reading(self.project.database) as connection:
            killed = progress.supervisor(connection)
            waits = bool(notices.waiting(connection))
        if killed is not None:
            ledger = self.project_state.ledger
            left = ledger.states["pending"] + ledger.states["running"]
            notice = death_notice(killed, left, ledger.last_finished, self.clock.time())
            self.project_state.notices.append(notice)
        elif waits:
            start_notifier(self.project)

    def is_finished(self) -> bool:
        """Return True if the loop has to end: stopped, or nothing left to do and to wait for."""
        if self.stopping == "now":
            return True
        working = any(worker.attempt for worker in self.workers.values())
        return not working and (
            self.stopping == "after_shard"
            or self.project_state.ledger.finished
            or all_stopped_by_health(self.project_state)
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
            worker.stop()
        deadline = self.clock.monotonic() + self.policy.kill_after
        while self.workers and self.clock.monotonic() < deadline:
            for handle, message in self.launcher.receive(self.policy.tick):
                self.receive(handle, message)
        self.task_runner.sync_logs(at_once=True)  # of workers that outlive SIGKILL
        self.launcher.close()
        self.health_watch.finish()
        self.tell_end()
        self.project_state.writes.append(supervisor_writes.forget_supervisor)
        self.save_final_state()

    def tell_end(self) -> None:
        """Log and tell how the run ends."""
        key = end_key(self.row)
        if self.project_state.ledger.finished:
            self.project_state.event("info", "finished")
            key = finished_key(self.project_state.ledger.last_finished)
            self.project_state.tell("finished", finished_text(self.project_state), key=key)
        elif self.broken:
            text = "the run has ended with an error; no caption is lost"
            self.project_state.event("fail", text)
            self.project_state.tell("killed", text, key=key)
        elif self.stopping is None and all_stopped_by_health(self.project_state):
            folder = quote(str(self.project.folder))
            text = (
                "stopped: the tasks left are of models that were stopped for the health of their"
                " captions; change their settings, or let them go on:"
                f" 'mllmaug-tui resume {folder}'"
            )
            self.project_state.event("warn", text)
            self.project_state.tell("stopped", text, cause="health", key=key)
        else:
            self.project_state.event("info", "stopped")
            self.project_state.tell("stopped", "stopped on request", key=key)

    def save_final_state(self) -> None:
        """Commit, trying again for up to `Policy.kill_after` seconds.

        What cannot be saved is found in the caption logs by the next run.
        """
        deadline = self.clock.monotonic() + self.policy.kill_after
        while self.lock.intact() and self.clock.monotonic() < deadline:
            try:
                self.project_state.commit()
                return
            except DatabaseDamaged:
                return
            except (DatabaseBusy, OSError):
                self.clock.sleep(self.policy.tick)

    def commit(self, force: bool = False) -> None:
        """Save what changed, if `Policy.commit_every` seconds have passed or `force` is True.

        A busy database is tried again in the next turn; one that cannot be written pauses the run.
        """
        now = self.clock.monotonic()
        if not force and now - self.committed_at < self.policy.commit_every:
            return
        epoch = self.clock.time()
        for worker in self.workers.values():
            self.project_state.workers[worker.handle.id] = worker.to_row(now, epoch)
        self.task_runner.update_counts(self.workers.values())
        self.model_loader.fail_tasks_of_blocked_models()
        self.wait_reporter.tell(stopping=self.stopping is not None)
        self.project_state.devices = self.device_pool.update_measurements()
        self.row = replace(self.row, heartbeat=epoch, stopping=self.stopping)
        try:
            self.project_state.commit(self.row)
        except DatabaseBusy:  # a reader that was stopped in mid-read: next tick
            return
        except OSError as error:
            self.task_runner.on_write_error(error)
        if not self.project.manifest.exists() and self.lock.intact():
            # Without it a damaged database cannot be made again.
            keep_manifest(self.project, self.project_state)
        self.committed_at = now
        self.task_runner.sample_ring.on_commit()

    # Messages of workers

    def receive(self, handle: WorkerHandle, message: FromWorker | WorkerExit) -> None:
        """Carry out one message of a worker, or its exit."""
        worker = self.workers.get(handle.id)
        if worker is None:
            return
        if isinstance(message, WorkerExit):
            del self.workers[handle.id]
            self.worker_exits.on_worker_exit(worker, message)
            return
        now = self.clock.monotonic()
        worker.on_message(now)
        match message:
            case Rows():
                attempt = worker.attempt
                rows = self.task_runner.on_rows(worker, message)
                if attempt is not None:
                    self.health_watch.on_rows(attempt.model, attempt.shard.number, rows)
                    self.health_watch.count_out(attempt.model.id, attempt.again.replaced)
            case Decoding() | Generating():
                self.task_runner.on_in_progress(worker, message)
            case Ready():
                worker.on_ready()
            case Loading():
                worker.on_progress(now)
                self.model_loader.on_loading(worker, message.text)
            case RequestEnded():
                worker.on_progress(now)
            case LayerComputed():
                worker.on_progress(now, layer=True)
            case WaitingForSlot():
                if worker.on_waiting(now):
                    self.project_state.event("info", message.text, worker.device)
            case Loaded():
                self.model_loader.on_loaded(worker, message)
            case LoadFailed():
                self.model_loader.on_load_failed(worker, message)
            case Unavailable():
                self.on_unavailable(worker, message)
            case BatchChanged():
                self.model_loader.on_batch_changed(worker, message)
            case RootLost():
                self.on_root_lost(worker, message)
            case Stuck() | Failed():
                worker.on_last_words(message, now)  # its exit is judged when it comes

    def on_unavailable(self, worker: WorkerState, message: Unavailable) -> None:
        """Take the task back from a worker whose server is gone, and make the model wait."""
        if message.model != worker.model_id:
            return
        self.outages.on_unavailable(worker, message.records)
        self.task_runner.end_attempt(
            worker, "server_unavailable", message.text, "server_unavailable"
        )
        self.model_loader.on_unavailable(worker, message)

    def on_root_lost(self, worker: WorkerState, message: RootLost) -> None:
        """Pause the run, or rest this machine only if another machine can go on."""
        if worker.attempt is None or (message.task, message.attempt) != worker.attempt.key:
            return
        if self.device_pool.ready_on_other_machines(worker.device):
            self.project_state.event("fail", message.text, worker.device)
            self.task_runner.cancel_tasks(
                "image root lost", self.device_pool.devices_of_machine(worker.device)
            )
            self.device_pool.rest_machine(worker.device)
        else:
            self.project_state.event("fail", f"paused: {message.text}", worker.device)
            self.project_state.pause("root_lost", message.text)
            self.task_runner.cancel_tasks("image root lost")

    # Requests of people

    def answer_requests(self) -> None:
        """Carry out the requests that came since the last turn; the next commit saves answers."""
        now = self.clock.monotonic()
        if now - self.requests_read < self.policy.tick:
            return
        self.requests_read = now
        try:
            with reading(self.project.database) as connection:
                waiting = requests.pending(connection)
        except (DatabaseBusy, DatabaseUnusable):
            return
        answered = {request_id for request_id, *_ in self.project_state.answers}
        for request in waiting:
            if request.id in answered:
                continue
            answer_request(self.project_state, request, self)
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
            worker.handle.send(ForgetWitness())


def finished_text(project_state: ProjectState) -> str:
    """Return what the user is told of a project of which no task is left."""
    tasks = [task for task in project_state.ledger.tasks.values() if task.state != "skipped"]
    captions = sum(t.captioned for t in tasks if t.model_id not in project_state.ledger.scorers)
    failed = sum(task.failed for task in tasks)
    return f"finished: {captions:,} captions, {failed:,} failed"
