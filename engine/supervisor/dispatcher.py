"""Giving free devices something to do: a worker process, a model, a task.

Which model a device works on is decided by `scheduler.choose_model`, which task of it by
`TaskLedger.next_task`.
"""

from __future__ import annotations

from collections import Counter

from db.rows import DeviceRow
from engine.hardware.devices import device_kind
from engine.launchers.base import Launcher
from engine.protocol.messages import ImageAccess, Start
from engine.state.model_backoff import ModelBackoff
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.model_loading import ModelLoader
from engine.supervisor.scheduler import Demand, choose_model
from engine.supervisor.task_runner import TaskRunner
from engine.supervisor.worker_state import WorkerState


class Dispatcher:
    """Starts workers on ready devices, has them load models, and starts tasks on them."""

    def __init__(
        self,
        launcher: Launcher,
        workers: dict[str, WorkerState],
        project_state: ProjectState,
        device_pool: DevicePool,
        backoff: ModelBackoff,
        model_loader: ModelLoader,
        task_runner: TaskRunner,
    ) -> None:
        self.launcher = launcher
        self.workers = workers
        """The supervisor's live workers by worker id, shared with it."""
        self.project_state = project_state
        self.device_pool = device_pool
        self.backoff = backoff
        self.model_loader = model_loader
        self.task_runner = task_runner
        self.clock = project_state.clock

    def dispatch(self, stopping: bool) -> None:
        """Give every ready device something to do, unless the project is paused.

        With `stopping`, running tasks are still supplied with records, and nothing new is started.
        """
        if self.project_state.settings.paused:
            return
        workers = {worker.device: worker for worker in self.workers.values()}
        for device in self.device_pool.ready_devices():
            worker = workers.get(device.id)
            if worker is not None and worker.attempt is not None:
                if worker.loaded:
                    self.task_runner.send_records(worker)
            elif stopping:
                continue
            elif worker is None:
                if self.choose_model_for(device, None) is not None:
                    self.start_worker(device)
            elif worker.ending_since is None and worker.state in ("idle", "starting"):
                self.give_work(worker, device)

    def choose_model_for(self, device: DeviceRow, loaded: int | None) -> int | None:
        """Return the id of the model that the device should work on now, or None.

        `loaded` is the id of the model that its worker has loaded. A model has no work for the
        device while it is blocked, was stopped for the health of its captions, waits for its
        server, may not be loaded there yet, or has no task that is due.
        """
        now = self.clock.time()
        elsewhere = Counter(m.model_id for m in self.workers.values() if m.device != device.id)
        demands = []
        for model in self.project_state.models.values():
            ready = (
                not model.blocked
                and not model.health_stop
                and self.backoff.may_ask(model)
                and self.device_pool.may_load(device.id, model.id)
                and self.project_state.ledger.next_task(model.id, now) is not None
            )
            left = max(1, self.project_state.ledger.pending_left[model.id]) if ready else 0
            demands.append(Demand(model.id, left, elsewhere[model.id]))
        return choose_model(demands, loaded, device.pinned_model_id)

    def start_worker(self, device: DeviceRow) -> None:
        """Start a worker on the device; the device rests if that fails."""
        settings = self.project_state.settings
        try:
            handle = self.launcher.start(device)
        except OSError as error:
            self.project_state.event("fail", f"cannot start a worker: {error}", device.id)
            self.device_pool.rest(device.id)
            return
        handle.send(
            Start(
                device=device_kind(device.id),
                threads=max(2, handle.cores),
                images=ImageAccess(
                    root=str(self.project_state.project.image_root(settings)),
                    path_map=settings.path_map,
                    allow_outside=settings.allow_outside or self.project_state.outside_allowed(),
                    witness=settings.witness,
                ),
            )
        )
        worker = WorkerState(handle=handle, started_at=self.clock.monotonic())
        self.workers[handle.id] = worker
        self.give_work(worker, device)

    def give_work(self, worker: WorkerState, device: DeviceRow) -> None:
        """Start the next task on an idle worker, or first the load of another model."""
        model_id = self.choose_model_for(device, worker.model_id if worker.loaded else None)
        if model_id is None:
            return
        if model_id != worker.model_id:
            self.model_loader.request_load(worker, model_id)
            return
        task = self.project_state.ledger.next_task(model_id, self.clock.time())
        if task is not None:
            self.task_runner.start_task(worker, task.id)
