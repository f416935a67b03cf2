"""Loading models onto workers: what was asked for, what came of it, when to stop trying."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from db.rows import Level, ModelRow
from engine.captioners.registry import FAMILIES
from engine.protocol.messages import OUT_OF_MEMORY, Message
from engine.state.model_backoff import Waits
from engine.state.policy import Policy
from engine.state.project_state import Books
from engine.supervisor.device_pool import Fleet
from engine.supervisor.worker_state import Member


class Loading:
    def __init__(
        self,
        members: Mapping[str, Member],
        books: Books,
        fleet: Fleet,
        waits: Waits,
        policy: Policy,
    ) -> None:
        self.members = members
        self.books = books
        self.fleet = fleet
        self.waits = waits
        self.policy = policy
        self.failed_on: set[tuple[str, int]] = set()
        """Devices and models whose load failed there, since a device last loaded the model."""

    def ask(self, member: Member, model_id: int) -> None:
        model = self.books.models[model_id]
        member.model_id, member.loaded, member.state = model_id, False, "loading"
        member.progressed, member.remote = time.monotonic(), FAMILIES[model.family].remote
        member.handle.send(
            {
                "type": "load",
                "model": {
                    "id": model.id,
                    "name": model.name,
                    "family": model.family,
                    "checkpoint": model.checkpoint,
                    "settings": model.settings,
                },
                "batch": self.books.batch_sizes.get((member.device, model_id)),
            }
        )

    def loaded(self, member: Member, message: Message) -> None:
        if message["model"] != member.model_id:
            return
        member.loaded, member.batch, member.state = True, message["batch"], "idle"
        member.tells = False
        member.progressed = time.monotonic()
        model = self.books.models[message["model"]]
        self.fleet.has_room(member.device, model.id)
        if model.load_failures:
            self.books.save_model(replace(model, load_failures=0))
        text = f"loaded in {message['seconds']:.1f} s, batch {member.batch}"
        self.books.event("info", text, member.device, model.name)

    def failed(self, member: Member, message: Message) -> None:
        if message["model"] != member.model_id:
            return
        model_id, text = message["model"], message["text"]
        member.model_id, member.state, member.load_failed = None, "idle", True
        if message["kind"] == "memory":
            name = self.books.models[model_id].name
            self.books.event("warn", f"no room for the model: {text}", member.device, name)
            if not self.fleet.no_room(member.device, model_id):
                return
        self.count_failure(member.device, model_id, text)

    def unavailable(self, member: Member, message: Message) -> None:
        """The next load asks whether the server is there again."""
        if message["model"] != member.model_id:
            return
        self.waits.unavailable(message["model"], member.device, message["text"], message["seconds"])
        member.model_id, member.loaded, member.state = None, False, "idle"

    def count_failure(self, device: str, model_id: int, text: str) -> None:
        """Three failures block the model: others go on, and the run comes to its end.

        Where other devices caption with it the device is to blame; while another machine may
        still load it, this one is; while another device is at its first try, nobody is yet.
        """
        model = self.books.models[model_id]
        self.books.event("fail", f"cannot load: {text}", device, model.name)
        if self.fleet.on_trial(device, model_id):
            self.fleet.count_death(device)
            return
        if self.fleet.loads_elsewhere(device, model_id):
            self.fleet.put_off(device, model_id)
            if not any(self.fleet.may_load(device, it.id) for it in self.left()):
                self.fleet.rest_machine(device)
            return
        if model.load_failures == 0:
            self.failed_on = {key for key in self.failed_on if key[1] != model_id}
        self.failed_on.add((device, model_id))
        model = replace(model, load_failures=model.load_failures + 1)
        if self.is_tried_anew(model_id):
            self.fleet.load_later(device, model_id, self.policy.first_delay)
        elif model.load_failures >= self.policy.load_failures:
            model = replace(model, blocked=text)
        self.books.save_model(model)

    def is_tried_anew(self, model_id: int) -> bool:
        """Whether a device has or may soon have the model that has not failed to load it."""
        return any(
            (member.device, model_id) not in self.failed_on
            and (member.model_id == model_id or (member.state == "starting" and not member.waited))
            for member in self.members.values()
        )

    def left(self) -> list[ModelRow]:
        """Models that still have work and are not blocked."""
        pending = self.books.ledger.pending_left
        return [it for it in self.books.models.values() if not it.blocked and pending[it.id]]

    def fail_blocked(self) -> None:
        """What waits for a model that cannot be loaded would wait for ever."""
        blocked = {m.id: m.blocked for m in self.books.models.values() if m.blocked}
        if not blocked:
            return
        now = time.time()
        for task in list(self.books.ledger.tasks.values()):
            if task.state == "pending" and task.model_id in blocked:
                text = f"the model cannot be loaded: {blocked[task.model_id]}"
                self.books.ledger.fail(task.id, now, text)

    def batch_changed(self, member: Member, message: Message) -> None:
        """What fits is remembered at once: a larger batch may be the worker's death."""
        if message["model"] != member.model_id:
            return
        name = self.books.models[message["model"]].name
        size = message["size"]
        change = f"batch {size}" if size == member.batch else f"batch {member.batch} -> {size}"
        level: Level = "warn" if message["text"] == OUT_OF_MEMORY else "info"
        self.books.event(level, f"{message['text']}: {change}", member.device, name)
        member.batch = size
        self.books.remember_batch(member.device, message["model"], message["fits"])
