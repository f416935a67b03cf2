"""The node's side of a worker on a cluster: its process, whose pipes are relayed.

Runs as a Ray actor and knows nothing of the messages. It ends when Ray ends it, and also when
nobody has listened to it for some time, as where the line to the supervisor is cut.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from typing import IO, NamedTuple

from db.rows import DeviceRow
from engine.hardware.devices import Monitor, gpus, kind
from engine.launchers.local import signal_group, spawn
from engine.process.kill_on_close import Lifeline

LEASE_SECONDS = 45.0
STEP_SECONDS = 0.2
"""Between looks at whether the process lives: a child of it may hold its pipes open."""
OUT_BYTES = 2**20
ERR_BYTES = 2**16
"""Of one answer at most; what is more waits in the pipe, and the worker with it."""


class PollResult(NamedTuple):
    """What a worker said since it was last asked; `code` once it has ended."""

    pid: int
    out: bytes
    err: bytes
    code: int | None
    device: DeviceRow | None
    """Name, memory and utilisation of its GPU, where there is one."""


class NodeWorker:
    def __init__(self, module: str, device: DeviceRow, cores: int) -> None:
        found = gpus()[:1] if kind(device.id) == "gpu" else []
        self.monitor = Monitor(found)
        self.asked = time.monotonic()
        self.lifeline = Lifeline()
        self.process = spawn(module, device, cores, subprocess.PIPE, self.lifeline)
        self.selector = selectors.DefaultSelector()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self.selector.register(pipe, selectors.EVENT_READ)
        threading.Thread(target=self.keep_lease, daemon=True, name="lease").start()

    def poll(self, seconds: float) -> PollResult:
        """As soon as there is anything to say, at most `seconds` later."""
        self.asked = time.monotonic()
        deadline = self.asked + seconds
        while True:
            self.selector.select(min(STEP_SECONDS, seconds))
            code = self.process.poll()
            if code is not None:
                signal_group(self.process.pid, signal.SIGKILL)  # children that it left behind
            out = self.read(self.process.stdout, OUT_BYTES)
            err = self.read(self.process.stderr, ERR_BYTES)
            if out or err or code is not None or time.monotonic() > deadline:
                latest = next(iter(self.monitor.latest.values()), None)
                # The rest of what an ended worker said comes with the next answers.
                return PollResult(self.process.pid, out, err, None if out or err else code, latest)

    def read(self, pipe: IO[bytes] | None, most: int) -> bytes:
        data = bytearray()
        if pipe is None or pipe.fileno() not in self.selector.get_map():
            return b""
        with contextlib.suppress(BlockingIOError):
            while len(data) < most:
                part = os.read(pipe.fileno(), most - len(data))
                if not part:
                    self.selector.unregister(pipe)
                    break
                data += part
        return bytes(data)

    def send(self, data: bytes) -> None:
        """Returns when the worker has taken it, or is gone."""
        if self.process.stdin is None:
            return
        left = memoryview(data)
        with contextlib.suppress(OSError):
            while left:
                left = left[os.write(self.process.stdin.fileno(), left) :]

    def signal(self, number: int) -> None:
        signal_group(self.process.pid, signal.Signals(number))

    def keep_lease(self) -> None:
        while time.monotonic() - self.asked < LEASE_SECONDS:
            time.sleep(1.0)
        signal_group(self.process.pid, signal.SIGKILL)
        os._exit(1)
