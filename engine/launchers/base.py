"""The interface between the supervisor and every launcher: devices, workers and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from db.rows import DeviceRow
from engine.protocol.framing import MessageReader
from engine.protocol.messages import FromWorker, ProtocolError, ToWorker


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """The end of a worker's process; it is the last that a launcher reports of the worker."""

    code: int
    """The exit code of the process; a negative one is the signal that ended it."""
    protocol_error: str | None = None
    """The bytes that were no message, if the worker was killed because it wrote them."""
    lost: str | None = None
    """The fate of the worker's machine, if the worker ended with it: no task is to blame."""


Received = FromWorker | WorkerExit
"""What a launcher reports of a worker."""


class WorkerOutput:
    """What one worker writes, cut into messages. A worker that writes anything else is killed."""

    def __init__(self, kill: Callable[[], None]) -> None:
        self.reader = MessageReader()
        self.kill = kill
        self.protocol_error: str | None = None
        """The first bytes that were no message; None as long as there were none."""

    def messages(self, data: bytes) -> Iterator[FromWorker]:
        """Yield the messages that end within `data`, up to the first bytes that are none.

        Nothing that comes after those is read.
        """
        if self.protocol_error is not None:
            return
        try:
            yield from self.reader.feed(data)
        except ProtocolError as error:
            self.protocol_error = str(error)
            self.kill()


class WorkerHandle(Protocol):
    """The supervisor's side of one worker process. A worker that is started again is a new one."""

    id: str
    """Unique in the project."""
    device: DeviceRow
    cores: int
    """The worker's share of the cores of its machine."""
    pid: int
    """The pid of the process; 0 while the worker waits for a slot to run in."""
    created: float
    """When the process started, as `engine.process.identity.process_start` returns it."""
    boot_id: str
    """The boot in which it runs; `engine.process.identity.ELSEWHERE` on another machine, where
    `pid` and `created` say nothing to this one."""

    def send(self, message: ToWorker) -> None:
        """Send a message without blocking: what the worker does not read yet waits here."""

    def terminate(self) -> None:
        """Ask the process to end, by SIGTERM to its process group."""

    def kill(self) -> None:
        """End the process at once, by SIGKILL to its process group."""


class Launcher(Protocol):
    """The devices of one run, and the workers that were started on them."""

    def devices(self) -> Sequence[DeviceRow]:
        """Return the devices that there are now.

        The supervisor calls this again and again, so it costs next to nothing.
        """

    def start(self, device: DeviceRow) -> WorkerHandle:
        """Start a worker on a device. Raises `OSError`."""

    def receive(self, timeout: float) -> Sequence[tuple[WorkerHandle, Received]]:
        """Return what the workers wrote, as soon as there is anything.

        Wait for it at most `timeout` seconds. `WorkerExit` is the last of a worker.
        """

    def close(self) -> None:
        """End every worker that is left, and release what the launcher holds."""
