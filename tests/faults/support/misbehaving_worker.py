"""A worker that misbehaves on demand. A launcher runs it as its module.

The environment variables below say how it misbehaves.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock

from engine.captioners.base import Caption, Captioner
from engine.captioners.families.dry_run import DryRunCaptioner
from engine.captioners.settings import Settings
from engine.images.image import ImagePaths, Picture
from engine.protocol.caption_row import CaptionRow
from engine.protocol.messages import FromWorker, Load, ModelSpec, Rows
from engine.worker import image_prefetch, worker

MISBEHAVIOUR = os.environ.get("MISBEHAVIOUR", "")
"""The name of the misbehaviour, some with an argument after a colon; empty for none."""
STATE_FOLDER = Path(os.environ.get("MISBEHAVIOUR_STATE", "/nonexistent"))
"""The folder in which calls are counted for all processes and threads (`count_call`)."""
CHANCE = float(os.environ.get("MISBEHAVIOUR_CHANCE", "0"))
"""The probability of each of the random faults, for each batch, load and rows message."""
IMAGE_SECONDS = float(os.environ.get("MISBEHAVIOUR_SECONDS", "0"))
"""The least time that captioning one image takes, in seconds."""
GATE = Path(os.environ.get("GATE", "/"))
"""The file whose existence opens the gate (`tests.faults.support.gate`); open without one."""
GATE_RECORDS = int(os.environ.get("GATE_RECORDS", "0"))
"""The number of records that this process captions before it waits at the gate."""

worker.HEARTBEAT_SECONDS = 0.2
setattr(worker, "core_share", lambda: 2)  # noqa: B010 (so that batches run side by side on any machine)


def count_call(name: str) -> int:
    """Return how often all processes have called this with this name, this call included."""
    (STATE_FOLDER / name).mkdir(exist_ok=True)
    for number in count(1):
        with suppress(FileExistsError):
            (STATE_FOLDER / name / str(number)).touch(exist_ok=False)
            return number
    raise AssertionError


def kill_at(point: str) -> None:
    """Kill this process if it is the second time that any worker comes to this point."""
    if f"killed:{point}" == MISBEHAVIOUR and count_call(point) == 2:
        os.kill(os.getpid(), signal.SIGKILL)


passed_gate: list[int] = []
"""The sizes of the batches that have passed the gate."""
gate_lock = Lock()


def pass_gate(records: int) -> None:
    """Wait until the gate is open, unless fewer than `GATE_RECORDS` records have passed it."""
    with gate_lock:
        while sum(passed_gate) >= GATE_RECORDS and not GATE.exists():
            time.sleep(0.01)
        passed_gate.append(records)


def fork_child() -> None:
    """Fork a child that keeps the worker's pipes open and survives the worker."""
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
        os._exit(0)


class FakeOutOfMemory(MemoryError):
    """The error of a device that has no memory left."""


class MisbehavingCaptioner(DryRunCaptioner):
    """The captioner `dry-run` with the misbehaviours of a model."""

    concurrent_batches = True

    def prepare(self, picture: Picture) -> str:
        kill_at("decoding")
        return super().prepare(picture)

    def caption(self, inputs: Sequence[str], records: Sequence[int]) -> list[Caption]:
        kill_at("generating")
        pass_gate(len(inputs))
        misbehave_by_chance(inputs)
        time.sleep(IMAGE_SECONDS * len(inputs))
        if MISBEHAVIOUR == "out_of_memory" and len(inputs) > 3:
            raise FakeOutOfMemory("this many do not fit")
        if MISBEHAVIOUR == "talks":
            os.write(2, b"a library that talks a lot\n" * 400)
        if MISBEHAVIOUR == "slow":
            time.sleep(0.05 * len(inputs))
        if "poison:" in MISBEHAVIOUR and int(MISBEHAVIOUR.partition("poison:")[2]) in records:
            os._exit(11)
        if MISBEHAVIOUR == "hang" and count_call("hang") == 2:
            time.sleep(3600)
        if MISBEHAVIOUR == "stops" and count_call("stops") == 2:
            os.kill(os.getpid(), signal.SIGSTOP)
        if MISBEHAVIOUR == "child" and count_call("child") == 2:
            fork_child()
            os._exit(9)
        if MISBEHAVIOUR == "living_child":
            fork_child()
        return super().caption(inputs, records)


class SlowLayersCaptioner(DryRunCaptioner):
    """A model whose layers take half a second each in the first batch, an hour in the second."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        from torch import nn

        class Layer(nn.Module):
            def forward(self, seconds: float) -> float:
                time.sleep(seconds)
                return seconds

        self.layers = nn.Sequential(*(Layer() for _ in range(8)))

    def caption(self, inputs: Sequence[str], records: Sequence[int]) -> list[Caption]:
        self.layers({1: 0.5, 2: 3600.0}.get(count_call("crawls"), 0.0))
        return super().caption(inputs, records)


class MisbehavingPrefetcher(image_prefetch.ImagePrefetcher):
    """The real prefetcher, with an image that may block a decoding thread for ever."""

    def __init__(self, paths: ImagePaths, threads: int, device: str) -> None:
        endless = MISBEHAVIOUR.startswith("endless:")
        super().__init__(paths, threads, device, image_seconds=0.5 if endless else 30.0)

    def open(self, image: str) -> Picture:
        if MISBEHAVIOUR.startswith("endless:") and image.endswith(MISBEHAVIOUR.partition(":")[2]):
            time.sleep(3600)
        return super().open(image)


setattr(worker, "ImagePrefetcher", MisbehavingPrefetcher)  # noqa: B010 (not its name)


def misbehave_by_chance(inputs: Sequence[str]) -> None:
    """Do each of the random faults with probability `CHANCE`, or half of it.

    With a single record the worker is only killed: a crash would rightly be blamed on the record.
    """
    if CHANCE and random.random() < CHANCE:
        os.kill(os.getpid(), signal.SIGKILL)
    if not CHANCE or len(inputs) < 2:
        return
    if random.random() < CHANCE:
        os._exit(random.randrange(1, 30))
    if random.random() < CHANCE:
        raise FakeOutOfMemory("this many do not fit")
    if random.random() < CHANCE / 2:
        time.sleep(3600)
    if random.random() < CHANCE / 2:
        os.kill(os.getpid(), signal.SIGSTOP)
    if random.random() < CHANCE / 2:
        fork_child()
    if random.random() < CHANCE:
        os.write(1, b"a library that prints\n")


class MisbehavingWorker(worker.Worker):
    """The real worker with the misbehaviours of a process that loads models and sends messages."""

    def load(self, message: Load) -> None:
        kill_at("loading")
        match MISBEHAVIOUR:
            case "cannot_load":
                text = "weights missing: [bold]x[/x] \udcff"
                self.send_load_failed(message.model, "checkpoint", text)
                return
            case "freezes_loading" if count_call("load") == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            case "killed_loading":
                os.kill(os.getpid(), signal.SIGKILL)
        if CHANCE and random.random() < CHANCE:
            os.kill(os.getpid(), signal.SIGKILL)
        if MISBEHAVIOUR == "crawls":
            from engine.captioners.generation import layer_progress

            layer_progress.REPORT_SECONDS = 0.1
        super().load(message)

    def make_captioner(self, model: ModelSpec) -> Captioner:
        super().make_captioner(model)
        kind = SlowLayersCaptioner if MISBEHAVIOUR == "crawls" else MisbehavingCaptioner
        return kind(Settings.of(model.settings))

    def send(self, message: FromWorker) -> None:
        if isinstance(message, Rows):
            self.misbehave(message)
        super().send(message)

    def misbehave(self, message: Rows) -> None:
        """Do the misbehaviours that happen when rows are sent."""
        kill_at("sending")
        wrong = CaptionRow(i=0, raw="wrong.", tokens=1, finish="stop")
        if CHANCE and len(message.rows) > 1:
            if random.random() < CHANCE:
                self.stdout.write(b"Traceback (most recent call last):\n\xff\xfe\n")
            if random.random() < CHANCE:
                self.send_half()
            if random.random() < CHANCE:
                super().send(Rows(task=message.task, attempt=message.attempt - 1, rows=(wrong,)))
        match MISBEHAVIOUR:
            case "protocol_error" if count_call("protocol_error") == 2:
                self.stdout.write(b"Traceback (most recent call last):\n\xff\xfe\n")
            case "flood" if count_call("flood") == 2:
                while True:
                    self.stdout.write(b"what a lot of rubbish" * 1000)
            case "half" if count_call("half") == 2:
                self.send_half()
            case "always_dies":
                os._exit(5)
            case "prints":
                print("a library that prints")
                os.write(1, b"and one that writes to file descriptor 1\n")

    def send_half(self) -> None:
        """Send the beginning of a message and exit."""
        self.stdout.write(b'{"type": "rows", "task": 1, "rows": [{"i"')
        self.stdout.flush()
        os._exit(9)


def main() -> None:
    worker.main(MisbehavingWorker)
