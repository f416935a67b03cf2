"""What must hold at every turn of a simulated run: nobody idles, and a run that waits says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from db import projects
from db.connection import DatabaseError, reading
from db.rows import TaskRow
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.supervisor.supervisor import Supervisor
from tests.sim.disk import SimulatedDisk
from tests.sim.process import SimulatedProcess
from tests.sim.scores import is_scorer
from tests.sim.virtual_time import VirtualTime
from tui.cli.output import status_lines
from tui.viewmodel.snapshot_reader import read_snapshot

REASONS = ("paused", " wait", "is asked again", "cannot be loaded", ": loading ")
"""What `status` says of a run in which nothing goes on for a while, one of them at least."""


class RunWatch:
    """Watches one run, turn by turn."""

    def __init__(
        self,
        project: Project,
        time: VirtualTime,
        disk: SimulatedDisk,
        policy: Policy,
        violate: Callable[[str], None],
    ) -> None:
        self.project = project
        self.time = time
        self.disk = disk
        self.violate = violate
        self.longest_delay, self.longest_wait = policy.longest_delay, policy.longest_wait
        self.idle_seconds = 3 * policy.device_rest
        """Seconds for which a device may stand idle beside work that it may do."""
        self.quiet_seconds = 3 * max(policy.longest_wait, policy.longest_delay, policy.load_limit)
        """Seconds for which a run may get nowhere without a reason on `status`."""
        self.unsynced_seconds = policy.sync_every + policy.kill_after + 4 * policy.tick
        """Seconds of captions that a power cut may cost, the end of a run included."""
        self.room_seconds = policy.longest_delay + 4 * policy.disk_retry
        """Seconds for which a run may stay paused at a time for a full disk that has room again."""
        self.ending_seconds = policy.kill_after + 4 * policy.tick
        """Seconds that a run may take to end."""
        self.rest_seconds = policy.device_rest
        """Seconds for which a device rests."""
        self.hang_seconds = 5 + max(policy.heartbeat_limit, policy.load_limit, policy.row_limit)
        """Seconds within which it is noticed that a worker stands still."""
        self.began: dict[str, float] = {}
        """Since when something holds that must not hold for long, by what it is."""
        self.waiting: dict[int, TaskRow] = {}
        """Tasks that could have been started in the last turn, by id."""
        self.idle_since: dict[str, float] = {}
        self.progress: object = None
        self.progressed_at = time.now
        self.committed_at = 0.0
        """When the last commit was that was seen: `status` knows nothing newer."""

    def check(self, supervisor: Supervisor) -> None:
        """Look at a run between two turns of its loop."""
        self.check_idle(supervisor)
        self.check_quiet(supervisor)
        self.check_room(supervisor)
        self.check_lock(supervisor)
        self.check_devices(supervisor)
        self.check_workers(supervisor)
        self.check_running(supervisor)
        self.check_retried(supervisor)
        self.check_order(supervisor)
        for path, since in self.disk.unsynced_since.items():
            if self.time.now - since > self.unsynced_seconds:
                self.violate(f"{path.name} has rows that were not synced for long")

    def skip(self, seconds: float) -> None:
        """Leave out seconds in which the supervisor itself stood still."""
        self.progressed_at += seconds
        self.began = {what: at + seconds for what, at in self.began.items()}
        for path in self.disk.unsynced_since:
            self.disk.unsynced_since[path] += seconds
        self.idle_since = {device: at + seconds for device, at in self.idle_since.items()}

    def check_idle(self, supervisor: Supervisor) -> None:
        """A device does not stand idle for long beside a task that it may do."""
        state, pool = supervisor.project_state, supervisor.device_pool
        if state.settings.paused or supervisor.stopping:
            self.idle_since.clear()
            return
        busy = {
            worker.device
            for worker in supervisor.workers.values()
            if worker.attempt is not None or worker.state == "loading" or worker.end_cause
        }
        now = self.time.time()
        scorers = {model.id for model in state.models.values() if is_scorer(model.family)}
        tasks = list(state.ledger.tasks.values())
        captioned = {
            task.shard
            for task in tasks
            if task.model_id not in scorers and task.state in ("pending", "running")
        }
        due = {
            task.model_id
            for task in tasks
            if task.state == "pending"
            and not now < task.not_before <= now + self.longest_delay
            and not (task.model_id in scorers and task.shard in captioned)
        }
        for device in pool.devices.values():
            may = any(
                model.id in due
                and not model.blocked
                and not now < model.not_before <= now + self.longest_wait
                and device.pinned_model_id in (None, model.id)
                and pool.may_load(device.id, model.id)
                for model in state.models.values()
            )
            if device.state != "ready" or device.id in busy or not may:
                self.idle_since.pop(device.id, None)
                continue
            since = self.idle_since.setdefault(device.id, self.time.now)
            if self.time.now - since > self.idle_seconds:
                self.violate(f"device {device.id} is idle beside work it may do")

    def check_room(self, supervisor: Supervisor) -> None:
        """A run that was paused for a full disk goes on once there is room."""
        full = supervisor.project_state.settings.pause_cause == "disk_full"
        has_room = full and self.disk.free_bytes > 0
        # Within one turn it may have gone on, and been paused for another write that failed.
        pause = f"a full disk since {supervisor.pause_watch.went_on_at}"
        if self.seconds_of(pause, has_room) > self.room_seconds:
            self.violate("the run is paused for a full disk, and there is room")

    def check_lock(self, supervisor: Supervisor) -> None:
        """A run ends when it has lost its lock."""
        if self.seconds_of("a lost lock", not supervisor.lock.intact()) > self.ending_seconds:
            self.violate("the run goes on without its lock")

    def seconds_of(self, what: str, holds: bool) -> float:
        """Return for how long this has held, 0 if it does not hold now."""
        if not holds:
            self.began.pop(what, None)
        return self.time.now - self.began.setdefault(what, self.time.now) if holds else 0.0

    def check_devices(self, supervisor: Supervisor) -> None:
        """A device that is lost, or has left, has no task, and none rests for too long."""
        now = self.time.time()
        for device in supervisor.device_pool.devices.values():
            over = not now <= device.rest_until <= now + self.rest_seconds
            seconds = self.seconds_of(f"rest of {device.id}", device.state == "resting" and over)
            if seconds > self.ending_seconds:
                self.violate(f"device {device.id} rests for too long")
        for worker in supervisor.workers.values():
            its_device = supervisor.device_pool.devices.get(worker.device)
            lost = its_device is None or its_device.state == "lost"
            if lost and worker.attempt is not None and worker.end_cause is None:
                self.violate(f"device {worker.device} is lost and has a task")

    def check_workers(self, supervisor: Supervisor) -> None:
        """A worker that stands still is ended, and one that has a task has records of it."""
        for worker in supervisor.workers.values():
            process = worker.handle
            hangs = isinstance(process, SimulatedProcess) and process.alive and process.frozen
            seconds = self.seconds_of(f"hang of {process.id}", hangs and worker.end_cause is None)
            if seconds > self.hang_seconds:
                self.violate(f"{process.id} stands still, and is not ended")
            attempt = worker.attempt
            starves = (
                attempt is not None
                and not attempt.worker_has_images
                and attempt.model.family != "endpoint"  # they wait for each other's suspects
                and worker.end_cause is None
            )
            if self.seconds_of(f"want of {process.id}", starves) > self.ending_seconds:
                self.violate(f"{process.id} has a task and gets no records of it")

    def check_running(self, supervisor: Supervisor) -> None:
        """The tasks that are running are those that workers have."""
        tasks = supervisor.project_state.ledger.tasks.values()
        running = sorted(task.id for task in tasks if task.state == "running")
        attempts = [worker.attempt for worker in supervisor.workers.values() if worker.attempt]
        if running != (had := sorted(attempt.task.id for attempt in attempts)):
            self.violate(f"tasks {running} are running, and workers have {had}")

    def check_retried(self, supervisor: Supervisor) -> None:
        """No task runs that the database has as done: after a kill, its rows would be damage."""
        if supervisor.committed_at:  # 0 after requests whose commit has failed
            return
        with suppress(DatabaseError), reading(self.project.database) as connection:
            done = {task.id for task in projects.tasks(connection) if task.state == "done"}
            for task in supervisor.project_state.ledger.tasks.values():
                if task.state == "running" and task.id in done:
                    self.violate(f"task {task.id} runs, and the database has it as done")

    def check_order(self, supervisor: Supervisor) -> None:
        """Of the tasks of a model that wait, one of the highest priority starts."""
        ledger, now = supervisor.project_state.ledger, self.time.time()
        waited, self.waiting = (
            self.waiting,
            {
                task.id: task
                for task in ledger.tasks.values()
                if task.state == "pending" and ledger.is_due(task, now) and not ledger.is_held(task)
            },
        )
        started = [task for task in waited.values() if ledger[task.id].attempt > task.attempt]
        for task in started:
            for other in waited.values():
                passed_over = ledger[other.id] == other and other.model_id == task.model_id
                if passed_over and other.priority > ledger[task.id].priority:
                    self.violate(f"task {task.id} started before {other.id}, which comes first")

    def check_quiet(self, supervisor: Supervisor) -> None:
        """A run in which no task gets on for long says on `status` what it waits for."""
        has_committed = supervisor.committed_at > self.committed_at
        self.committed_at = supervisor.committed_at
        state = supervisor.project_state
        done = sum(task.rows + task.attempt for task in state.ledger.tasks.values())
        progress = (done, state.settings.paused)  # after a pause, a load may take its time
        if progress != self.progress:
            self.progress, self.progressed_at = progress, self.time.now
        elif self.time.now - self.progressed_at > self.quiet_seconds and has_committed:
            self.progressed_at = self.time.now
            try:
                status = "\n".join(status_lines(read_snapshot(self.project)))
            except DatabaseError:
                return
            if not any(reason in status for reason in REASONS):
                self.violate(f"the run gets nowhere and does not say why: {status}")

    def waits_for(self, supervisor: Supervisor) -> str:
        """Return what a run that does not end is at, for the report."""
        state = supervisor.project_state
        return (
            f"paused {state.settings.pause_cause}, states {dict(state.ledger.states)}, devices"
            f" {[d.state for d in supervisor.device_pool.devices.values()]},"
            f" models {[(m.name, m.blocked, m.unavailable) for m in state.models.values()]},"
            f" workers {[(w.device, w.state, w.end_cause) for w in supervisor.workers.values()]}"
        )
