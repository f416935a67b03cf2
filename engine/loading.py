"""Loading models onto workers: what was asked for, what came of it, when to stop trying."""

from __future__ import annotations

import time
from dataclasses import replace

from engine.books import Books
from engine.crew import Member
from engine.fleet import Fleet
from engine.policy import Policy
from engine.protocol import Message


class Loading:
    def __init__(self, books: Books, fleet: Fleet, policy: Policy) -> None:
        self.books = books
        self.fleet = fleet
        self.policy = policy

    def ask(self, member: Member, model_id: int) -> None:
        model = self.books.models[model_id]
        member.model_id, member.loaded, member.state = model_id, False, "loading"
        member.progressed = time.monotonic()
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
            self.fleet.no_room(member.device, model_id)
        else:
            self.count_failure(member.device, model_id, text)

    def count_failure(self, device: str, model_id: int, text: str) -> None:
        """Three failures block the model: others go on, and the run comes to its end."""
        model = self.books.models[model_id]
        self.books.event("fail", f"cannot load: {text}", device, model.name)
        model = replace(model, load_failures=model.load_failures + 1)
        if model.load_failures >= self.policy.load_failures:
            model = replace(model, blocked=text)
            self.fail_waiting(model_id, text)
        self.books.save_model(model)

    def fail_waiting(self, model_id: int, text: str) -> None:
        now = time.time()
        for task in list(self.books.ledger.tasks.values()):
            if task.model_id == model_id and task.state == "pending":
                self.books.ledger.fail(task.id, now, f"the model cannot be loaded: {text}")

    def batch_halved(self, member: Member, message: Message) -> None:
        if message["model"] != member.model_id:
            return
        name = self.books.models[message["model"]].name
        text = f"out of memory: batch {member.batch} -> {message['size']}"
        self.books.event("warn", text, member.device, name)
        member.batch = message["size"]
        self.books.remember_batch(member.device, message["model"], member.batch)
