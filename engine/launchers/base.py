"""How a worker is started and talked to, and on which devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from db.rows import DeviceRow
from engine.protocol.messages import Message


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """The worker's process is gone; a negative code is the signal that ended it."""

    code: int
    protocol_error: str | None = None
    """What it wrote that is no message, if that is why it was ended."""
    lost: str | None = None
    """What became of the machine under it, if that is why it is gone: no task is to blame."""


class WorkerHandle(Protocol):
    """One incarnation of a worker process."""

    id: str
    device: DeviceRow
    cores: int
    """Its share of its machine's."""
    pid: int
    created: float
    boot_id: str
    """`engine.process.identity.ELSEWHERE` where pid and start are those of another machine."""

    def send(self, message: Message) -> None:
        """Never blocks: what the worker does not read yet waits here."""

    def terminate(self) -> None: ...

    def kill(self) -> None:
        """The whole process group."""


class Launcher(Protocol):
    def devices(self) -> Sequence[DeviceRow]:
        """Those that there are now; asked again and again, so it costs next to nothing."""

    def start(self, device: DeviceRow) -> WorkerHandle:
        """Raises `OSError`."""

    def receive(self, timeout: float) -> Sequence[tuple[WorkerHandle, Message | WorkerExit]]:
        """What the workers wrote, as soon as there is anything, at most `timeout` seconds later.

        `WorkerExit` is the last that is heard of a worker.
        """

    def close(self) -> None:
        """Ends every worker that is left."""
