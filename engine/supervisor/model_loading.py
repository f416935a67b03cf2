"""Loading models onto workers: what was asked for, what came of it, when to stop trying."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from db.rows import Level, ModelRow
from engine.captioners.registry import FAMILIES
from engine.protocol.messages import OUT_OF_MEMORY, Message
from engine.state.model_backoff import ModelBackoff
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.worker_state import WorkerState


class ModelLoader:
    def __init__(
        self,
        workers: Mapping[str, WorkerState],
        project_state: ProjectState,
        device_pool: DevicePool,
        backoff: ModelBackoff,
        policy: Policy,
    ) -> None:
        self.workers = workers
        self.project_state = project_state
        self.device_pool = device_pool
        self.backoff = backoff
        self.policy = policy
        self.failed_on: set[tuple[str, int]] = set()
        """Devices and models whose load failed there, since a device last loaded the model."""

    def ask(self, worker: WorkerState, model_id: int) -> None:
        model = self.project_state.models[model_id]
        worker.model_id, worker.loaded, worker.state = model_id, False, "loading"
        worker.progressed, worker.remote = time.monotonic(), FAMILIES[model.family].remote
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

    def loaded(self, worker: WorkerState, message: Message) -> None:
        if message["model"] != worker.model_id:
            return
        worker.loaded, worker.batch, worker.state = True, message["batch"], "idle"
        worker.reports_layers = False
        worker.progressed = time.monotonic()
        model = self.project_state.models[message["model"]]
        self.device_pool.has_room(worker.device, model.id)
        if model.load_failures:
            self.project_state.save_model(replace(model, load_failures=0))
        text = f"loaded in {message['seconds']:.1f} s, batch {worker.batch}"
        self.project_state.event("info", text, worker.device, model.name)

    def failed(self, worker: WorkerState, message: Message) -> None:
        if message["model"] != worker.model_id:
            return
        model_id, text = message["model"], message["text"]
        worker.model_id, worker.state, worker.load_failed = None, "idle", True
        if message["kind"] == "memory":
            name = self.project_state.models[model_id].name
            self.project_state.event("warn", f"no room for the model: {text}", worker.device, name)
            if not self.device_pool.no_room(worker.device, model_id):
                return
        self.count_failure(worker.device, model_id, text)

    def unavailable(self, worker: WorkerState, message: Message) -> None:
        """The next load asks whether the server is there again."""
        if message["model"] != worker.model_id:
            return
        self.backoff.unavailable(
            message["model"], worker.device, message["text"], message["seconds"]
        )
        worker.model_id, worker.loaded, worker.state = None, False, "idle"

    def count_failure(self, device: str, model_id: int, text: str) -> None:
        """Three failures block the model: others go on, and the run comes to its end.

        Where other devices caption with it the device is to blame; while another machine may
        still load it, this one is; while another device is at its first try, nobody is yet.
        """
        model = self.project_state.models[model_id]
        self.project_state.event("fail", f"cannot load: {text}", device, model.name)
        if self.device_pool.on_trial(device, model_id):
            self.device_pool.count_death(device)
            return
        if self.device_pool.loads_elsewhere(device, model_id):
            self.device_pool.put_off(device, model_id)
            if not any(self.device_pool.may_load(device, it.id) for it in self.left()):
                self.device_pool.rest_machine(device)
            return
        if model.load_failures == 0:
            self.failed_on = {key for key in self.failed_on if key[1] != model_id}
        self.failed_on.add((device, model_id))
        model = replace(model, load_failures=model.load_failures + 1)
        if self.is_tried_anew(model_id):
            self.device_pool.load_later(device, model_id, self.policy.first_delay)
        elif model.load_failures >= self.policy.load_failures:
            model = replace(model, blocked=text)
        self.project_state.save_model(model)

    def is_tried_anew(self, model_id: int) -> bool:
        """Whether a device has or may soon have the model that has not failed to load it."""
        return any(
            (worker.device, model_id) not in self.failed_on
            and (worker.model_id == model_id or (worker.state == "starting" and not worker.waited))
            for worker in self.workers.values()
        )

    def left(self) -> list[ModelRow]:
        """Models that still have work and are not blocked."""
        pending = self.project_state.ledger.pending_left
        return [
            it for it in self.project_state.models.values() if not it.blocked and pending[it.id]
        ]

    def fail_blocked(self) -> None:
        """What waits for a model that cannot be loaded would wait for ever."""
        blocked = {m.id: m.blocked for m in self.project_state.models.values() if m.blocked}
        if not blocked:
            return
        now = time.time()
        for task in list(self.project_state.ledger.tasks.values()):
            if task.state == "pending" and task.model_id in blocked:
                text = f"the model cannot be loaded: {blocked[task.model_id]}"
                self.project_state.ledger.fail(task.id, now, text)

    def batch_changed(self, worker: WorkerState, message: Message) -> None:
        """What fits is remembered at once: a larger batch may be the worker's death."""
        if message["model"] != worker.model_id:
            return
        name = self.project_state.models[message["model"]].name
        size = message["size"]
        change = f"batch {size}" if size == worker.batch else f"batch {worker.batch} -> {size}"
        level: Level = "warn" if message["text"] == OUT_OF_MEMORY else "info"
        self.project_state.event(level, f"{message['text']}: {change}", worker.device, name)
        worker.batch = size
        self.project_state.remember_batch(worker.device, message["model"], message["fits"])
