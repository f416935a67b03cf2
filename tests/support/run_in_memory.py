"""A run without processes and without a database: what the supervisor decides, in milliseconds.

Its clock is moved by hand, its workers are lists of what was sent to them, and its project is a
folder with shard files and caption logs in it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from db.rows import DeviceRow, ModelRow, ProjectRow, ShardRow, TaskRow
from engine.launchers.base import WorkerExit
from engine.project.caption_log import file_digest
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, ScoreRow
from engine.protocol.messages import (
    Decoding,
    FromWorker,
    Heartbeat,
    Loaded,
    Ready,
    Records,
    Rows,
    ToWorker,
)
from engine.state.policy import Policy
from engine.state.project_state import ProjectState, SavedProject
from engine.supervisor.supervisor import Supervisor
from engine.supervisor.worker_state import WorkerState
from tests.support.fake_scorer import FAMILY, fake_score

Sent = TypeVar("Sent")
CHECKPOINTS = {"endpoint": "http://server:8000/v1", "server": "/models/tiny"}
"""Checkpoints of models, by the families that need one."""


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0
        """Seconds of the monotonic clock; the other clock is a million ahead."""

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1e6

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeHandle:
    """A worker that does nothing; it keeps what was sent to it."""

    numbers = itertools.count()

    def __init__(self, device: DeviceRow) -> None:
        self.id = f"worker-{next(self.numbers)}"
        self.device = device
        self.cores = 1
        self.pid = 0
        self.created = 0.0
        self.boot_id = "a boot"
        self.sent: list[ToWorker] = []
        self.signals: list[str] = []

    def send(self, message: ToWorker) -> None:
        self.sent.append(message)

    def terminate(self) -> None:
        self.signals.append("TERM")

    def kill(self) -> None:
        self.signals.append("KILL")


class FakeLauncher:
    """Devices, and workers that were started on them."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.rows = [DeviceRow(id=device) for device in devices]
        self.cannot_start = False

    def devices(self) -> list[DeviceRow]:
        return self.rows

    def start(self, device: DeviceRow) -> FakeHandle:
        if self.cannot_start:
            raise OSError("no process for you")
        return FakeHandle(device)

    def receive(self, timeout: float) -> list[tuple[FakeHandle, FromWorker | WorkerExit]]:
        return []

    def close(self) -> None:
        pass


class RunInMemory:
    """A supervisor over some shards and models, and the verbs of a test."""

    def __init__(
        self,
        folder: Path,
        *,
        devices: Sequence[str] = ("cuda:0",),
        shards: int = 1,
        records: int = 4,
        models: Sequence[str] = ("dry-run",),
        family: str = "dry-run",
        scorers: Sequence[str] = (),
        policy: Policy | None = None,
    ) -> None:
        """Make the project's files. There are `records` in every shard.

        `scorers` are the names of models that score, behind the others: of a family that
        `FAMILIES` must have.
        """
        self.project = Project(folder)
        self.project.shards.mkdir(parents=True)
        self.clock = ManualClock()
        self.launcher = FakeLauncher(devices)
        rows = [self.write_shard(number, records) for number in range(shards)]
        named = [(name, family) for name in models] + [(n, FAMILY.name) for n in scorers]
        model_rows = [
            ModelRow(
                id=k + 1,
                position=k,
                name=name,
                family=of_family,
                checkpoint=CHECKPOINTS.get(of_family),
                settings={},
                settings_hash=f"{k:08x}",
            )
            for k, (name, of_family) in enumerate(named)
        ]
        numbers = itertools.count(1)
        saved = SavedProject(
            settings=ProjectRow(
                uid="u", created=0.0, records=shards * records, image_root="images"
            ),
            models=model_rows,
            shards=rows,
            tasks=[
                TaskRow(
                    id=next(numbers),
                    shard=shard.number,
                    model_id=model.id,
                    count=records,
                    left=records,
                )
                for shard in rows
                for model in model_rows
            ],
        )
        self.policy = policy or Policy()
        self.state = ProjectState(self.project, saved, self.policy, self.clock)
        self.free_bytes = 2**40
        self.supervisor = Supervisor(
            self.project,
            self.launcher,
            self.policy,
            lock=ProjectLock(self.project.lock),
            clock=self.clock,
            free_bytes=lambda _: self.free_bytes,
            project_state=self.state,
        )

    def write_shard(self, number: int, records: int) -> ShardRow:
        path = self.project.shard_file(number)
        lines = [
            json.dumps({"image": f"{number}-{i}.jpg", "caption": f"original {i}"})
            for i in range(records)
        ]
        path.write_text("\n".join(lines) + "\n")
        return ShardRow(
            number=number,
            first=number * records,
            count=records,
            bytes=path.stat().st_size,
            digest=file_digest(path),
        )

    # What happens

    def dispatch(self) -> None:
        self.supervisor.dispatcher.dispatch(stopping=False)

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, then do what a turn of the loop does without a database."""
        self.clock.now += seconds
        self.supervisor.watchdog.check()
        self.supervisor.pause_watch.check()
        self.supervisor.task_runner.count_scores()
        self.supervisor.health_watch.turn()
        self.dispatch()
        self.supervisor.model_loader.fail_tasks_of_blocked_models()

    def starting(self, device: str = "cuda:0") -> WorkerState:
        """Dispatch until the device has a worker, and return that."""
        if not any(worker.device == device for worker in self.supervisor.workers.values()):
            self.dispatch()
        return next(w for w in self.supervisor.workers.values() if w.device == device)

    def loaded(self, device: str = "cuda:0", batch: int = 2) -> WorkerState:
        """Return a worker whose model is loaded; a task is not started yet."""
        worker = self.starting(device)
        if worker.model_id is None:
            self.dispatch()
        if not worker.loaded:
            assert worker.model_id is not None
            self.send(worker, Ready())
            self.send(worker, Loaded(model=worker.model_id, batch=batch, seconds=1.0))
        return worker

    def captioning(self, device: str = "cuda:0", rows: int = 0) -> WorkerState:
        """Return a worker with a running task of which so many rows have come."""
        worker = self.loaded(device)
        if worker.attempt is None:
            self.dispatch()
        if worker.attempt is None:  # it was another model's turn
            self.loaded(device)
            self.dispatch()
        assert worker.attempt is not None, "no task was started"
        if rows:
            self.rows(worker, *range(rows))
        return worker

    def send(self, worker: WorkerState, message: FromWorker) -> None:
        self.supervisor.receive(worker.handle, message)

    def rows(self, worker: WorkerState, *rows: int | Row) -> None:
        """Send rows of the worker's attempt: captions of records, or the rows given."""
        attempt = worker.attempt
        assert attempt is not None
        message = Rows(
            task=attempt.task.id,
            attempt=attempt.number,
            rows=tuple(caption(row) if isinstance(row, int) else row for row in rows),
        )
        self.send(worker, message)

    def scores(self, worker: WorkerState) -> None:
        """Send the scores of all captions of the worker's last message of records."""
        texts = self.sent(worker, Records)[-1].texts
        self.rows(worker, *(ScoreRow(i, {key: fake_score(key) for key in t}) for i, t in texts))

    def commit(self) -> None:
        """Have the tasks count as saved: here no database is behind them."""
        self.state.ledger.last_saved.clear()

    def decoding(self, worker: WorkerState, *records: int) -> None:
        attempt = worker.attempt
        assert attempt is not None
        message = Decoding(task=attempt.task.id, attempt=attempt.number, records=records)
        self.send(worker, message)

    def exit(self, worker: WorkerState, code: int = 1, **values: str) -> None:
        self.supervisor.receive(worker.handle, WorkerExit(code, **values))

    def prove(self, device: str = "cuda:0", model: int = 1) -> None:
        """Have the device captioned with the model before."""
        self.supervisor.device_pool.mark_proven(device, model)

    def wait_alive(self, seconds: float) -> None:
        """Let time pass in turns of the loop, while every worker sends heartbeats."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            for worker in list(self.supervisor.workers.values()):
                self.send(worker, Heartbeat(rss=1))
            self.turn(min(50.0, until - self.clock.now))

    def change_task(self, task: int = 1, **values: object) -> None:
        self.state.ledger.change(task, self.clock.time(), **values)

    def change_model(self, model: int = 1, **values: object) -> None:
        self.state.save_model(replace(self.state.models[model], **values))  # type: ignore[arg-type]

    def break_log(self, worker: WorkerState, method: str, error: OSError) -> None:
        """Have a method of the attempt's caption log raise the error from now on."""
        assert worker.attempt is not None

        def fail(*_: object) -> None:
            raise error

        setattr(worker.attempt.log, method, fail)

    # What there is then

    @property
    def task(self) -> TaskRow:
        return self.state.ledger[1]

    @property
    def model(self) -> ModelRow:
        return self.state.models[1]

    def sent(self, worker: WorkerState, kind: type[Sent]) -> list[Sent]:
        handle = worker.handle
        assert isinstance(handle, FakeHandle)
        return [message for message in handle.sent if isinstance(message, kind)]

    def signals(self, worker: WorkerState) -> list[str]:
        handle = worker.handle
        assert isinstance(handle, FakeHandle)
        return handle.signals

    def outstanding(self, worker: WorkerState) -> list[int]:
        """Return the indexes of the records in the last message of records."""
        last = self.sent(worker, Records)[-1]
        assert isinstance(last, Records)
        return [i for i, _ in last.records]

    @property
    def events(self) -> list[str]:
        return [event.text for event in self.state.events]

    def facts(self) -> dict[str, object]:
        """Return what the table of states speaks of, for task 1, model 1 and the first device.

        "scoring" are the states of scorers' tasks.
        """
        task, model, pool = self.task, self.model, self.supervisor.device_pool
        ledger = self.state.ledger
        exits = self.supervisor.worker_exits
        outages = self.supervisor.outages
        attempts = [a for a in self.state.attempts.values() if a.task_id == 1]
        now = self.clock.time()
        return {
            "state": task.state,
            "strikes": task.strikes,
            "delay": max(0.0, task.not_before - now),
            "cause": task.error_cause,
            "failed": task.failed,
            "suspects": exits.suspects.in_order(1),
            "server_suspects": outages.suspects.in_order(1),
            "evidence": dict(exits.suspects.evidence),
            "outcome": attempts[-1].outcome if attempts else None,
            "deaths": dict(pool.deaths),
            "devices": {device.id: device.state for device in pool.devices.values()},
            "load_failures": model.load_failures,
            "blocked": model.blocked_cause,
            "waits": max(0.0, model.not_before - now),
            "unavailable": model.unavailable_cause,
            "paused": self.state.settings.pause_cause,
            "health_stop": model.health_stop is not None,
            "scoring": [t.state for t in ledger.tasks.values() if t.model_id in ledger.scorers],
        }


def caption(i: int) -> CaptionRow:
    return CaptionRow(i, f"A picture of {i}. And more.", 5, "stop")


def failure(i: int, kind: str = "missing") -> ErrorRow:
    return ErrorRow(i, kind, "it is not there")
