"""Workers that misbehave on demand: run as the launcher's module, told how by the environment."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine import worker
from engine.captioners.dry_run import DryRun

HOW = os.environ.get("MISBEHAVIOUR", "")
STATE = Path(os.environ.get("MISBEHAVIOUR_STATE", "/nonexistent"))
"""A folder in which a misbehaviour counts how often it happened."""


def times(name: str) -> int:
    """How often this was called in all processes, this call included."""
    (STATE / name).mkdir(exist_ok=True)
    (STATE / name / f"{os.getpid()}-{time.monotonic_ns()}").touch()
    return len(list((STATE / name).iterdir()))


class OutOfMemory(MemoryError):
    pass


class Captioner(DryRun):
    def caption(self, inputs, records):
        if HOW == "out_of_memory" and len(inputs) > 3:
            raise OutOfMemory("this many do not fit")
        if HOW == "slow":
            time.sleep(0.02 * len(inputs))
        if HOW.startswith("poison:") and int(HOW.partition(":")[2]) in records:
            os._exit(11)
        if HOW == "hang" and times("hang") == 2:
            time.sleep(3600)
        return super().caption(inputs, records)


class MisbehavingWorker(worker.Worker):
    def load(self, message):
        match HOW:
            case "cannot_load":
                self.model = message["model"]
                self.load_failed("checkpoint", "weights missing: [bold]x[/x]")
                return
            case "no_room_once" if times("load") == 1:
                self.model = message["model"]
                self.load_failed("memory", "no room")
                raise worker.WorkerExit
            case "dies_loading":
                os._exit(7)
        super().load(message)
        self.captioner = Captioner(self.batch)

    def log_names(self, device: str) -> bool:
        """Whether this worker's stderr is the log of that device."""
        return device.replace(":", "-") in Path("/proc/self/fd/2").readlink().name

    def send(self, message):
        if message["type"] == "rows":
            if HOW.startswith("always_dies_on:") and self.log_names(HOW.partition(":")[2]):
                os._exit(5)
            match HOW:
                case "rubbish" if times("rubbish") == 2:
                    self.stdout.write(b"Traceback (most recent call last):\n\xff\xfe\n")
                case "nonsense" if times("nonsense") == 2:
                    super().send({"type": "loaded", "model": "what", "batch": None})
                case "half" if times("half") == 2:
                    self.stdout.write(b'{"type": "rows", "task": 1, "rows": [{"i"')
                    self.stdout.flush()
                    os._exit(9)
                case "old_attempt":
                    wrong = {"i": 0, "raw": "wrong.", "tokens": 1, "finish": "stop"}
                    super().send(message | {"attempt": message["attempt"] - 1, "rows": [wrong]})
                    super().send(message | {"task": message["task"] + 1, "rows": [wrong]})
                case "foreign_rows":
                    wrong = [{"i": 10**6, "raw": "x"}, {"i": "0", "raw": "x"}, {"i": -1}, 7, None]
                    super().send(message | {"rows": wrong})
                case "always_dies":
                    os._exit(5)
                case "prints":
                    print("a library that prints")
                    os.write(1, b"and one that writes to file descriptor 1\n")
        super().send(message)


def main() -> None:
    worker.main(MisbehavingWorker)
