"""Workers that misbehave on demand: run as the launcher's module, told how by the environment."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from engine.captioners.families.dry_run import DryRun
from engine.worker import image_prefetch, worker

HOW = os.environ.get("MISBEHAVIOUR", "")
STATE = Path(os.environ.get("MISBEHAVIOUR_STATE", "/nonexistent"))
"""A folder in which a misbehaviour counts how often it happened."""
CHANCE = float(os.environ.get("MISBEHAVIOUR_CHANCE", "0"))
"""Of each of the faults below that come by chance, a batch."""
SECONDS = float(os.environ.get("MISBEHAVIOUR_SECONDS", "0"))
"""An image takes at least this long."""


worker.HEARTBEAT_SECONDS = 0.2
worker.own_cores = lambda: 2  # so that batches go side by side on any machine
image_prefetch.IMAGE_SECONDS = 0.5 if HOW.startswith("endless:") else 30.0


def times(name: str) -> int:
    """How often this was called in all processes and threads, this call included."""
    (STATE / name).mkdir(exist_ok=True)
    for number in count(1):
        with suppress(FileExistsError):
            (STATE / name / str(number)).touch(exist_ok=False)
            return number
    raise AssertionError


def killed_at(place: str) -> None:
    """kill -9, the second time that a worker comes to this place."""
    if f"killed:{place}" == HOW and times(place) == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def leave_a_child() -> None:
    """A child that keeps the worker's pipes, and survives it."""
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
        os._exit(0)


class OutOfMemory(MemoryError):
    pass


class Captioner(DryRun):
    side_by_side = True

    def prepare(self, picture):
        killed_at("decoding")
        return super().prepare(picture)

    def caption(self, inputs, records):
        killed_at("generating")
        by_chance(self, inputs)
        time.sleep(SECONDS * len(inputs))
        if HOW == "out_of_memory" and len(inputs) > 3:
            raise OutOfMemory("this many do not fit")
        if HOW == "out_of_memory_at_last":
            raise OutOfMemory("not even one fits")
        if HOW == "talks":
            os.write(2, b"a library that talks a lot\n" * 400)
        if HOW == "slow":
            time.sleep(0.05 * len(inputs))
        if "poison:" in HOW and int(HOW.partition("poison:")[2]) in records:
            os._exit(11)
        if HOW == "hang" and times("hang") == 2:
            time.sleep(3600)
        if HOW == "stops" and times("stops") == 2:
            os.kill(os.getpid(), signal.SIGSTOP)
        if HOW == "child" and times("child") == 2:
            leave_a_child()
            os._exit(9)
        if HOW == "living_child":
            leave_a_child()
        return super().caption(inputs, records)


class Crawling(DryRun):
    """Its layers take half a second each in the first batch, and do not end in the second."""

    def __init__(self, batch: int) -> None:
        super().__init__(batch)
        from torch import nn

        class Layer(nn.Module):
            def forward(self, seconds: float) -> float:
                time.sleep(seconds)
                return seconds

        self.layers = nn.Sequential(*(Layer() for _ in range(8)))

    def caption(self, inputs, records):
        self.layers({1: 0.5, 2: 3600.0}.get(times("crawls"), 0.0))
        return super().caption(inputs, records)


class MisbehavingPreparing(image_prefetch.Preparing):
    def prepare(self, image):
        if HOW.startswith("endless:") and image.endswith(HOW.partition(":")[2]):
            time.sleep(3600)
        return super().prepare(image)


worker.Preparing = MisbehavingPreparing


def by_chance(captioner: Captioner, inputs) -> None:
    """A crash is blamed on a record that was alone, and rightly: those only hang or are killed."""
    if CHANCE and random.random() < CHANCE:
        os.kill(os.getpid(), signal.SIGKILL)
    if not CHANCE or len(inputs) < 2:
        return
    if random.random() < CHANCE:
        os._exit(random.randrange(1, 30))
    if random.random() < CHANCE:
        raise OutOfMemory("this many do not fit")
    if random.random() < CHANCE / 2:
        time.sleep(3600)
    if random.random() < CHANCE / 2:
        os.kill(os.getpid(), signal.SIGSTOP)
    if random.random() < CHANCE / 2:
        leave_a_child()
    if random.random() < CHANCE:
        os.write(1, b"a library that prints\n")


class MisbehavingWorker(worker.Worker):
    def load(self, message):
        killed_at("loading")
        match HOW:
            case "cannot_load":
                self.model = message["model"]
                self.load_failed("checkpoint", "weights missing: [bold]x[/x] \udcff")
                return
            case "no_room_once" if times("load") == 1:
                self.model = message["model"]
                self.load_failed("memory", "no room")
                raise worker.WorkerExit
            case "never_room":
                self.model = message["model"]
                self.load_failed("memory", "no room")
                raise worker.WorkerExit
            case "freezes_loading" if times("load") == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            case "dies_loading":
                os._exit(7)
        if HOW.startswith("cannot_load_on:"):
            if self.log_names(HOW.partition(":")[2]):
                self.model = message["model"]
                self.load_failed("checkpoint", "this device is odd")
                return
            time.sleep(1.0)  # large checkpoints take longer than it takes to fail
        if CHANCE and random.random() < CHANCE:
            os.kill(os.getpid(), signal.SIGKILL)
        if HOW == "crawls":
            from engine.captioners.generation import layer_progress

            layer_progress.SECONDS = 0.1
        super().load(message)

    def make_captioner(self):
        batch = super().make_captioner().batch
        return (Crawling if HOW == "crawls" else Captioner)(batch)

    def log_names(self, device: str) -> bool:
        """Whether this worker's stderr is the log of that device."""
        return device.replace(":", "-") in Path("/proc/self/fd/2").readlink().name

    def send(self, message):
        if message["type"] == "rows":
            self.misbehave(message)
        super().send(message)

    def misbehave(self, message) -> None:
        killed_at("sending")
        wrong = {"i": 0, "raw": "wrong.", "tokens": 1, "finish": "stop"}
        if HOW.startswith("always_dies_on:") and self.log_names(HOW.partition(":")[2]):
            os._exit(5)
        if CHANCE and len(message["rows"]) > 1:
            if random.random() < CHANCE:
                self.stdout.write(b"Traceback (most recent call last):\n\xff\xfe\n")
            if random.random() < CHANCE:
                self.say_half(message)
            if random.random() < CHANCE:
                super().send(message | {"attempt": message["attempt"] - 1, "rows": [wrong]})
        match HOW:
            case "protocol_error" if times("protocol_error") == 2:
                self.stdout.write(b"Traceback (most recent call last):\n\xff\xfe\n")
            case "nonsense" if times("nonsense") == 2:
                super().send({"type": "loaded", "model": "what", "batch": None})
            case "nested" if times("nested") == 2:
                self.stdout.write(b"[" * 100_000 + b"\n")
            case "unhashable" if times("unhashable") == 2:
                super().send({"type": "decoding", "attempt": message["attempt"], "records": [[]]})
            case "flood" if times("flood") == 2:
                while True:
                    self.stdout.write(b"what a lot of rubbish" * 1000)
            case "half" if times("half") == 2:
                self.say_half(message)
            case "old_attempt":
                super().send(message | {"attempt": message["attempt"] - 1, "rows": [wrong]})
                super().send(message | {"task": message["task"] + 1, "rows": [wrong]})
            case "foreign_rows":
                rows = [{"i": 10**6, "raw": "x"}, {"i": "0", "raw": "x"}, {"i": -1}, 7, None]
                huge = wrong | {"tokens": 2**63}
                super().send(message | {"rows": [*rows, huge, wrong | {"finish": {}}]})
            case "always_dies":
                os._exit(5)
            case "prints":
                print("a library that prints")
                os.write(1, b"and one that writes to file descriptor 1\n")

    def say_half(self, message) -> None:
        self.stdout.write(b'{"type": "rows", "task": 1, "rows": [{"i"')
        self.stdout.flush()
        os._exit(9)


def main() -> None:
    worker.main(MisbehavingWorker)
