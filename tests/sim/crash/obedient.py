"""A launcher of one worker that does at once what it is told, and is never at fault."""

from __future__ import annotations

from collections.abc import Sequence

from db.rows import DeviceRow
from engine.launchers.base import WorkerExit
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row
from engine.protocol.messages import (
    Cancel,
    FromWorker,
    Load,
    Loaded,
    Ready,
    Records,
    Rows,
    ToWorker,
)

BATCH = 2
"""Records that are captioned together: one append to a log."""
TURN_SECONDS = 2.0
"""Time that passes with each turn of the supervisor's loop."""


def caption_of(model: str, image: str) -> str:
    """Return what a model says of an image: each pair has a caption of its own.

    The image is named so late that it is in another sector than the index of its row.
    """
    return f"{model} says that this picture is {image}. More."


def row_of(model: str, i: int, image: str) -> Row:
    if image.startswith("bad"):
        return ErrorRow(i, "corrupt", "not an image")
    return CaptionRow(i, caption_of(model, image), 3, "stop")


class StandingClock:
    """A clock that moves only by what the obedient worker takes."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 1e9

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class ObedientWorker:
    """The supervisor's handle of the worker (`WorkerHandle`)."""

    def __init__(self, launcher: ObedientLauncher, device: DeviceRow, number: int) -> None:
        self.launcher = launcher
        self.id = f"worker-{number}"
        self.device = device
        self.cores = 1
        self.pid = 0
        self.created = 0.0
        self.boot_id = "a boot"
        self.model = ""
        self.waiting: list[Rows] = []
        launcher.say(self, Ready())

    def send(self, message: ToWorker) -> None:
        match message:
            case Load():
                self.model = message.model.name
                self.launcher.say(self, Loaded(model=message.model.id, batch=BATCH, seconds=1.0))
            case Records():
                rows = [row_of(self.model, i, image) for i, image in message.records]
                for k in range(0, len(rows), BATCH):
                    batch = tuple(rows[k : k + BATCH])
                    self.waiting.append(
                        Rows(task=message.task, attempt=message.attempt, rows=batch)
                    )
            case Cancel():
                self.waiting.clear()

    def terminate(self) -> None:
        self.waiting.clear()
        self.launcher.say(self, WorkerExit(-15))

    kill = terminate


class ObedientLauncher:
    """One device (`engine.launchers.base.Launcher`)."""

    def __init__(self, clock: StandingClock, most_batches: int | None = None) -> None:
        """After `most_batches` batches the worker says nothing more, and `exhausted` is True."""
        self.clock = clock
        self.left = most_batches
        self.said: list[tuple[ObedientWorker, FromWorker | WorkerExit]] = []
        self.workers: list[ObedientWorker] = []

    @property
    def exhausted(self) -> bool:
        return self.left == 0

    def devices(self) -> list[DeviceRow]:
        return [DeviceRow(id="cpu:0", label="obedient")]

    def start(self, device: DeviceRow) -> ObedientWorker:
        worker = ObedientWorker(self, device, len(self.workers) + 1)
        self.workers.append(worker)
        return worker

    def say(self, worker: ObedientWorker, message: FromWorker | WorkerExit) -> None:
        self.said.append((worker, message))

    def receive(self, timeout: float) -> Sequence[tuple[ObedientWorker, FromWorker | WorkerExit]]:
        self.clock.now += TURN_SECONDS
        for worker in self.workers:
            if worker.waiting and not self.exhausted:
                self.say(worker, worker.waiting.pop(0))
                if self.left is not None:
                    self.left -= 1
        said, self.said = self.said, []
        return said

    def close(self) -> None:
        self.workers.clear()
