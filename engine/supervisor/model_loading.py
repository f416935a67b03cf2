"""Loading models onto workers: requesting a load, what came of it, and when to stop trying.

A load can end in four ways: the model is loaded; it had no room, which delays the next try on that
device; its server does not answer, which makes the model wait; or it failed, or its worker was
killed, and then `load_rules` says whether the device, the machine or the model is to blame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from typing import Literal

from db.rows import BlockedCause, EventLevel, ModelRow
from engine.captioners.api_keys import NO_KEY, key_source
from engine.captioners.checkpoints.weight_size import weight_bytes
from engine.captioners.registry import FAMILIES
from engine.hardware.devices import device_node
from engine.hardware.memory import host_memory
from engine.project import own_commands
from engine.project.sound_models import check_model
from engine.protocol.messages import (
    BatchChanged,
    Load,
    Loaded,
    LoadFailed,
    ModelSpec,
    Unavailable,
)
from engine.state.model_backoff import ModelBackoff
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.load_rules import (
    KilledLoad,
    LoadFailureFacts,
    LoadVerdict,
    counts_against_model,
    describe_killed_load,
    judge_load_failure,
)
from engine.supervisor.worker_state import WorkerState


class ModelLoader:
    """Sends `Load` messages and carries out the answers, for all workers of a run."""

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

    def request_load(self, worker: WorkerState, model_id: int) -> None:
        """Have the worker load the model, in the largest batch that is known to fit there.

        A model that makes no sense, as a tracker that was edited may have it, is blocked instead.
        """
        model = self.project_state.models[model_id]
        try:
            check_model(model)
        except ValueError as error:
            self.block(model, "error", str(error))
            return
        if not own_commands.is_allowed(self.project_state.settings.uid, model):
            self.block(model, "error", own_commands.refusal(self.project_state.project, model))
            return
        now = self.project_state.clock.monotonic()
        remote = FAMILIES[model.family].remote
        key = key_source(model.name, model.checkpoint or "") if remote else NO_KEY
        worker.begin_load(model_id, remote, now)
        worker.handle.send(
            Load(
                model=ModelSpec(
                    id=model.id,
                    name=model.name,
                    family=model.family,
                    checkpoint=model.checkpoint,
                    settings=model.settings,
                ),
                batch=self.project_state.batch_sizes.get((worker.device, model_id)),
                key_variables=key.variables,
                key_advice=key.advice,
                confined=remote and not self.project_state.outside_allowed(),
            )
        )

    def on_loaded(self, worker: WorkerState, message: Loaded) -> None:
        """Make the worker idle with its model, and end the model's series of load failures."""
        if message.model != worker.model_id or worker.state != "loading":
            return
        worker.on_loaded(message.batch, self.project_state.clock.monotonic())
        model = self.project_state.models[message.model]
        self.device_pool.record_loaded(worker.device, model.id)
        if model.load_failures:
            self.project_state.save_model(replace(model, load_failures=0))
        text = f"loaded in {message.seconds:.1f} s, batch {worker.batch}"
        self.project_state.event("info", text, worker.device, model.name)

    def on_load_failed(self, worker: WorkerState, message: LoadFailed) -> None:
        """Delay the next load where there was no room; count any other failure."""
        if message.model != worker.model_id or worker.state != "loading":
            return
        model_id, text = message.model, message.text
        exits = message.kind != "checkpoint"
        worker.on_load_failed(exits, self.project_state.clock.monotonic())
        if message.kind == "memory":
            name = self.project_state.models[model_id].name
            self.project_state.event(
                "warn", f"not enough memory for the model: {text}", worker.device, name
            )
            if not self.device_pool.record_no_room(worker.device, model_id):
                self.tell_delay(worker.device, model_id)
                return
        self.record_load_failure(worker.device, model_id, message.kind, text)

    def on_unavailable(self, worker: WorkerState, message: Unavailable) -> None:
        """Make the model wait for its server, and free the worker, which has unloaded it.

        The next load finds out whether the server answers again. A server of the worker's own has
        ended with the load: only this device waits, and its next load starts another.
        """
        if message.model != worker.model_id:
            return
        model = self.project_state.models[message.model]
        if FAMILIES[model.family].serves:
            worker.on_unloaded()
            self.project_state.event("warn", message.text, worker.device, model.name)
            self.device_pool.record_lost_server(worker.device, model.id)
            self.tell_delay(worker.device, model.id)
            return
        self.backoff.on_unavailable(
            message.model, worker.device, message.cause, message.text, message.seconds
        )
        worker.on_unloaded()

    def on_loading(self, worker: WorkerState, text: str) -> None:
        """Log what a server says while it starts, now and then, for that may take long."""
        model = self.project_state.models.get(worker.model_id or 0)
        if model is None or not FAMILIES[model.family].serves:
            return
        if worker.may_tell_step(self.project_state.clock.monotonic()):
            self.project_state.event("info", f"loading: {text}", worker.device, model.name)

    def record_load_failure(
        self, device: str, model_id: int, cause: BlockedCause, text: str
    ) -> None:
        """Hold a failed load against the device, the machine or the model (`load_rules`)."""
        model = self.project_state.models[model_id]
        self.project_state.event("fail", f"cannot load: {text}", device, model.name)
        verdict = judge_load_failure(self.load_failure_facts(device, model), self.policy)
        self.carry_out(verdict, device, model, cause, text)

    def record_killed_load(
        self, device: str, model_id: int, reason: str, signal: Literal["SIGKILL", "SIGTERM"] | None
    ) -> None:
        """Hold a load whose worker was killed, or hung, against the device or the model.

        `signal` is that from outside which ended the worker, or None.
        """
        model = self.project_state.models[model_id]
        times = self.device_pool.record_killed_load(device, model_id)
        facts = replace(self.load_failure_facts(device, model), kills=times)
        verdict = judge_load_failure(facts, self.policy)
        text = self.killed_load_text(device, model, reason, signal) if verdict == "block" else ""
        self.project_state.event("fail", f"cannot load: {reason}", device, model.name)
        self.carry_out(verdict, device, model, "died", text)

    def killed_load_text(
        self,
        device: str,
        model: ModelRow,
        reason: str,
        signal: Literal["SIGKILL", "SIGTERM"] | None,
    ) -> str:
        """Return why the model is blocked after its loads were killed, and what to do."""
        killed = self.device_pool.killed_loads
        load = KilledLoad(
            reason=reason,
            signal=signal,
            times=sum(times for (_, model_id), times in killed.items() if model_id == model.id),
            weight_bytes=weight_bytes(model.checkpoint) if signal == "SIGKILL" else None,
            machine_bytes=None if device_node(device) else host_memory().total,
        )
        folder, name = quote(str(self.project_state.project.folder)), quote(model.name)
        return f"{describe_killed_load(load)}; then 'mllmaug-tui retry {folder} --model {name}'"

    def carry_out(
        self, verdict: LoadVerdict, device: str, model: ModelRow, cause: BlockedCause, text: str
    ) -> None:
        """Do what `load_rules` says; `cause` and `text` say why, should the model be blocked."""
        if verdict != "device_death":
            self.device_pool.failed_loads.add((device, model.id))
        if counts_against_model(verdict):
            model = replace(model, load_failures=model.load_failures + 1)
            self.project_state.save_model(model)
            if verdict == "block":
                self.block(model, cause, text)
        match verdict:
            case "device_death":
                self.device_pool.count_death(device)
            case "delay_on_machine" | "delay_and_rest_machine":
                self.device_pool.delay_load_on_machine(device, model.id)
                if verdict == "delay_and_rest_machine":
                    self.device_pool.rest_machine(device)
            case "delay_on_device":
                self.device_pool.delay_load(device, model.id, self.policy.first_delay)
        self.tell_delay(device, model.id)

    def tell_delay(self, device: str, model_id: int) -> None:
        """Log for how long the device does not load the model, if no rest of it says so."""
        if seconds := self.device_pool.seconds_until_load(device, model_id):
            name = self.project_state.models[model_id].name
            text = f"the model is loaded here again in {seconds:.0f} s at the earliest"
            self.project_state.event("warn", text, device, name)

    def block(self, model: ModelRow, cause: BlockedCause, text: str) -> None:
        """Have no worker load the model any more, until a person has one of its tasks retried."""
        self.project_state.save_model(replace(model, blocked=text, blocked_cause=cause))
        self.project_state.event("fail", f"blocked: {text}", model=model.name)
        self.project_state.tell("model_blocked", f"blocked: {text}", model.name, cause)
        self.device_pool.forget_loads(model.id)

    def load_failure_facts(self, device: str, model: ModelRow) -> LoadFailureFacts:
        """Return what is known at the time of a failed load."""
        pool = self.device_pool
        return LoadFailureFacts(
            on_trial=pool.is_on_trial(device, model.id),
            other_machine_may_load=any(
                pool.may_load(other, model.id)
                and pool.devices[other].pinned_model_id in (None, model.id)
                and (other, model.id) not in pool.failed_loads
                for other in pool.ready_on_other_machines(device)
            ),
            machine_has_other_work=any(
                pool.may_load(device, other.id)
                for other in self.models_with_work()
                if other.id != model.id
            ),
            loaded_elsewhere=self.is_loaded_elsewhere(device, model.id),
            failures=model.load_failures,
        )

    def is_loaded_elsewhere(self, device: str, model_id: int) -> bool:
        """Return True if a worker has the model, or is loading it, where that has not failed."""
        return any(
            worker.model_id == model_id
            and worker.device != device
            and (worker.device, model_id) not in self.device_pool.failed_loads
            and not worker.waits_for_slot  # it may wait for ever
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
        now = self.project_state.clock.time()
        for task in list(self.project_state.ledger.tasks.values()):
            if task.state == "pending" and task.model_id in blocked:
                text = f"the model cannot be loaded: {blocked[task.model_id]}"
                self.project_state.ledger.fail(task.id, now, text, "model_blocked")

    def on_batch_changed(self, worker: WorkerState, message: BatchChanged) -> None:
        """Note the worker's new batch size, and remember the largest that is known to fit."""
        if message.model != worker.model_id:
            return
        name = self.project_state.models[message.model].name
        size = message.size
        change = f"batch {size}" if size == worker.batch else f"batch {worker.batch} -> {size}"
        level: EventLevel = "warn" if message.cause == "out_of_memory" else "info"
        self.project_state.event(level, f"{message.text}: {change}", worker.device, name)
        worker.on_batch_changed(size)
        # At once, not when the worker ends: trying a larger batch may be its death.
        self.project_state.remember_batch(worker.device, message.model, message.fits)
