"""The node's side of a worker on a cluster: a Ray actor that starts it and relays its pipes.

The actor knows nothing of the messages. It ends when Ray ends it, and also when nobody has polled
it for some time, as when the connection to the supervisor is cut.
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
from engine.hardware.devices import GpuMonitor, device_kind, visible_gpus
from engine.launchers.local import signal_process_group, spawn_worker
from engine.process.kill_on_close import KillOnClose

LEASE_SECONDS = 45.0
"""Seconds without a poll after which the actor ends itself and its worker."""
STEP_SECONDS = 0.2
"""Seconds between two checks whether the worker lives: its pipes do not show that, since a child of
the worker may hold them open."""
OUT_BYTES = 2**20
"""Most bytes of stdout in one poll result; more waits in the pipe, and the worker with it."""
ERR_BYTES = 2**16
"""Most bytes of stderr in one poll result; more waits in the pipe, and the worker with it."""


class PollResult(NamedTuple):
    """The output of a worker since the previous poll."""

    pid: int
    out: bytes
    err: bytes
    code: int | None
    """The worker's exit code once it has ended and all that it wrote was polled."""
    device: DeviceRow | None
    """Name, memory and utilisation of its GPU, if there is one."""


class NodeWorker:
    """The class of the actor, with the process of one worker."""

    def __init__(self, module: str, device: DeviceRow, cores: int) -> None:
        """Start the worker. `module` is its entry; the other arguments are as in `WorkerHandle`."""
        measured = visible_gpus()[:1] if device_kind(device.id) == "gpu" else []
        self.monitor = GpuMonitor(measured)
        self.last_poll = time.monotonic()
        self.kill_on_close = KillOnClose()
        self.process = spawn_worker(module, device, cores, subprocess.PIPE, self.kill_on_close)
        self.selector = selectors.DefaultSelector()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self.selector.register(pipe, selectors.EVENT_READ)
        threading.Thread(target=self.keep_lease, daemon=True, name="lease").start()

    def poll(self, seconds: float) -> PollResult:
        """Return as soon as there is anything to report, at most `seconds` later."""
        self.last_poll = time.monotonic()
        deadline = self.last_poll + seconds
        while True:
            self.selector.select(min(STEP_SECONDS, seconds))
            code = self.process.poll()
            if code is not None:
                signal_process_group(self.process.pid, signal.SIGKILL)  # children it left behind
            out = self.read(self.process.stdout, OUT_BYTES)
            err = self.read(self.process.stderr, ERR_BYTES)
            if out or err or code is not None or time.monotonic() > deadline:
                latest = next(iter(self.monitor.latest.values()), None)
                # The rest of what an ended worker wrote comes with the next polls.
                code = None if out or err else code
                return PollResult(pid=self.process.pid, out=out, err=err, code=code, device=latest)

    def read(self, pipe: IO[bytes] | None, limit: int) -> bytes:
        """Return what is in a pipe now, at most `limit` bytes."""
        data = bytearray()
        if pipe is None or pipe.fileno() not in self.selector.get_map():
            return b""
        with contextlib.suppress(BlockingIOError):
            while len(data) < limit:
                part = os.read(pipe.fileno(), limit - len(data))
                if not part:
                    self.selector.unregister(pipe)
                    break
                data += part
        return bytes(data)

    def send(self, data: bytes) -> None:
        """Write to the worker; return when it has taken all of `data` or is gone."""
        if self.process.stdin is None:
            return
        left = memoryview(data)
        with contextlib.suppress(OSError):
            while left:
                left = left[os.write(self.process.stdin.fileno(), left) :]

    def signal(self, number: int) -> None:
        """Send a signal to the worker's process group."""
        signal_process_group(self.process.pid, signal.Signals(number))

    def keep_lease(self) -> None:
        """Wait until nobody has polled for too long, and end the worker and this process."""
        while time.monotonic() - self.last_poll < LEASE_SECONDS:
            time.sleep(1.0)
        signal_process_group(self.process.pid, signal.SIGKILL)
        os._exit(1)
