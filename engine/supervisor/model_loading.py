"""Loading models onto workers: requesting a load, what came of it, and when to stop trying.

A load can end in four ways: the model is loaded; it had no room, which delays the next try on that
device; its server does not answer, which makes the model wait; or it failed, and then
`record_load_failure` decides whether the device, the machine or the model is to blame.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from db.rows import EventLevel, ModelRow
from engine.captioners.registry import FAMILIES
from engine.protocol.messages import OUT_OF_MEMORY, Message
from engine.state.model_backoff import ModelBackoff
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.worker_state import WorkerState


class ModelLoader:
    """Sends `load` messages and carries out the answers, for all workers of a run."""

    def __init__(
        self,
        workers: Mapping[str, WorkerState],
        project_state: ProjectState,
        device_pool: DevicePool,
        backoff: ModelBackoff,
        policy: Policy,
    ) -> None:
        self.workers = workers
        """The supervisor's live workers by worker id, shared with it."""
        self.project_state = project_state
        self.device_pool = device_pool
        self.backoff = backoff
        self.policy = policy
        self.failed_on: set[tuple[str, int]] = set()
        """(Device id, model id) pairs whose load failed, in the present series of failures of the
        model: a successful load of it begins a new series."""

    def request_load(self, worker: WorkerState, model_id: int) -> None:
        """Have the worker load the model, in the largest batch that is known to fit there."""
        model = self.project_state.models[model_id]
        worker.model_id, worker.loaded, worker.state = model_id, False, "loading"
        worker.progressed_at, worker.remote = time.monotonic(), FAMILIES[model.family].remote
        worker.handle.send(
            {
                "type": "load",
                "model": {
                    "id": model.id,
                    "name": model.name,
                    "family": model.family,
                    "checkpoint": model.checkpoint,
                    "settings": model.settings,
                },
                "batch": self.project_state.batch_sizes.get((worker.device, model_id)),
            }
        )

    def on_loaded(self, worker: WorkerState, message: Message) -> None:
        """Make the worker idle with its model, and end the model's series of load failures."""
        if message["model"] != worker.model_id:
            return
        worker.loaded, worker.batch, worker.state = True, message["batch"], "idle"
        worker.reports_layers = False
        worker.progressed_at = time.monotonic()
        model = self.project_state.models[message["model"]]
        self.device_pool.record_room(worker.device, model.id)
        if model.load_failures:
            self.project_state.save_model(replace(model, load_failures=0))
        text = f"loaded in {message['seconds']:.1f} s, batch {worker.batch}"
        self.project_state.event("info", text, worker.device, model.name)

    def on_load_failed(self, worker: WorkerState, message: Message) -> None:
        """Delay the next load where there was no room; count any other failure."""
        if message["model"] != worker.model_id:
            return
        model_id, text = message["model"], message["text"]
        worker.model_id, worker.state, worker.load_failed = None, "idle", True
        if message["kind"] == "memory":
            name = self.project_state.models[model_id].name
            self.project_state.event("warn", f"no room for the model: {text}", worker.device, name)
            if not self.device_pool.record_no_room(worker.device, model_id):
                return
        self.record_load_failure(worker.device, model_id, text)

    def on_unavailable(self, worker: WorkerState, message: Message) -> None:
        """Make the model wait for its server, and free the worker, which has unloaded it.

        The next load finds out whether the server answers again.
        """
        if message["model"] != worker.model_id:
            return
        self.backoff.on_unavailable(
            message["model"], worker.device, message["text"], message["seconds"]
        )
        worker.model_id, worker.loaded, worker.state = None, False, "idle"

    def record_load_failure(self, device: str, model_id: int, text: str) -> None:
        """Hold a failed load against the device, the machine or the model.

        Where other devices caption with the model, the device is to blame. While another machine
        may still load it, this machine is. Otherwise it is a failure of the model:
        `Policy.load_failures` of them block it, so that other models go on and the run comes to
        its end, but not before every device has tried.
        """
        model = self.project_state.models[model_id]
        self.project_state.event("fail", f"cannot load: {text}", device, model.name)
        if self.device_pool.is_on_trial(device, model_id):
            self.device_pool.count_death(device)
            return
        if self.device_pool.may_load_on_other_machine(device, model_id):
            self.device_pool.delay_load_on_machine(device, model_id)
            if not any(
                self.device_pool.may_load(device, other.id) for other in self.models_with_work()
            ):
                self.device_pool.rest_machine(device)
            return
        if model.load_failures == 0:
            self.failed_on = {key for key in self.failed_on if key[1] != model_id}
        self.failed_on.add((device, model_id))
        model = replace(model, load_failures=model.load_failures + 1)
        if self.has_untried_device(model_id):
            self.device_pool.delay_load(device, model_id, self.policy.first_delay)
        elif model.load_failures >= self.policy.load_failures:
            model = replace(model, blocked=text)
        self.project_state.save_model(model)

    def has_untried_device(self, model_id: int) -> bool:
        """Return True if a device that has not failed to load the model has it, is loading it, or
        has a worker that is starting up and may be given it."""
        return any(
            (worker.device, model_id) not in self.failed_on
            and (
                worker.model_id == model_id
                or (worker.state == "starting" and not worker.waits_for_slot)
            )
            for worker in self.workers.values()
        )

    def models_with_work(self) -> list[ModelRow]:
        """Return the models that have records left in pending tasks and are not blocked."""
        pending = self.project_state.ledger.pending_left
        return [
            model
            for model in self.project_state.models.values()
            if not model.blocked and pending[model.id]
        ]

    def fail_tasks_of_blocked_models(self) -> None:
        """Fail the pending tasks of blocked models, which would wait for ever otherwise."""
        blocked = {m.id: m.blocked for m in self.project_state.models.values() if m.blocked}
        if not blocked:
            return
        now = time.time()
        for task in list(self.project_state.ledger.tasks.values()):
            if task.state == "pending" and task.model_id in blocked:
                text = f"the model cannot be loaded: {blocked[task.model_id]}"
                self.project_state.ledger.fail(task.id, now, text)

    def on_batch_changed(self, worker: WorkerState, message: Message) -> None:
        """Note the worker's new batch size, and remember the largest that is known to fit."""
        if message["model"] != worker.model_id:
            return
        name = self.project_state.models[message["model"]].name
        size = message["size"]
        change = f"batch {size}" if size == worker.batch else f"batch {worker.batch} -> {size}"
        level: EventLevel = "warn" if message["text"] == OUT_OF_MEMORY else "info"
        self.project_state.event(level, f"{message['text']}: {change}", worker.device, name)
        worker.batch = size
        # At once, not when the worker ends: trying a larger batch may be its death.
        self.project_state.remember_batch(worker.device, message["model"], message["fits"])
