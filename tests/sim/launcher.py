"""The launcher of a simulated run: devices that come and go, and workers in virtual time."""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Callable, Sequence

from db.rows import DeviceRow
from engine.launchers.base import WorkerExit
from engine.protocol.framing import MessageReader
from engine.protocol.messages import FromWorker, ProtocolError
from tests.sim.faults import Faults
from tests.sim.virtual_time import VirtualTime
from tests.sim.worker import SimulatedWorker


class SimulatedLauncher:
    """Devices and workers of one run (`engine.launchers.base.Launcher`)."""

    numbers = itertools.count(1)

    def __init__(
        self,
        devices: Sequence[str],
        faults: Faults,
        time: VirtualTime,
        rng: random.Random,
        on_turn: Callable[[], None],
        on_end_alone: Callable[[int, int, int], None],
        on_outage_alone: Callable[[int, int], None],
    ) -> None:
        """`on_turn` is called at each turn of the supervisor's loop; it may raise `Killed`.

        `on_end_alone` is told (task id, index, weight) whenever a worker ends with one record
        alone, `on_outage_alone` the same, without a weight, of a server.
        """
        self.on_end_alone = on_end_alone
        self.on_outage_alone = on_outage_alone
        self.faults = faults
        self.time = time
        self.rng = rng
        self.on_turn = on_turn
        self.all_devices = [DeviceRow(id=device, label="simulated") for device in devices]
        self.away: set[str] = set()
        self.workers: dict[str, SimulatedWorker] = {}
        self.readers: dict[str, MessageReader] = {}
        self.received: list[tuple[SimulatedWorker, FromWorker | WorkerExit]] = []
        self.latest: dict[str, DeviceRow] = {}
        self.lost: set[str] = set()
        """With `latest`, the monitor of the devices (`DeviceMonitor`)."""

    def devices(self) -> list[DeviceRow]:
        return [device for device in self.all_devices if device.id not in self.away]

    def start(self, device: DeviceRow) -> SimulatedWorker:
        if self.faults.happens("worker cannot be started"):
            raise OSError(errno.EAGAIN, "simulated")
        worker = SimulatedWorker(self, device, next(self.numbers), self.rng)
        self.workers[worker.id] = worker
        self.readers[worker.id] = MessageReader()
        return worker

    def feed(self, worker: SimulatedWorker, data: bytes) -> None:
        """Take bytes that a worker wrote, as `LocalLauncher` does."""
        reader = self.readers.get(worker.id)
        if reader is None:
            return
        try:
            for message in reader.feed(data):
                self.deliver(worker, message)
        except ProtocolError as error:
            del self.readers[worker.id]
            worker.die(-9, protocol_error=str(error)[:80])

    def deliver(self, worker: SimulatedWorker, message: FromWorker | WorkerExit) -> None:
        self.received.append((worker, message))
        if isinstance(message, WorkerExit):
            self.readers.pop(worker.id, None)
            self.workers.pop(worker.id, None)

    def receive(self, timeout: float) -> list[tuple[SimulatedWorker, FromWorker | WorkerExit]]:
        self.on_turn()
        self.move_devices()
        begins_early = self.rng.random() < 0.6
        self.time.advance(self.time.now + timeout, lambda: begins_early and bool(self.received))
        received, self.received = self.received, []
        return received

    def move_devices(self) -> None:
        for device in self.all_devices:
            if device.id in self.away:
                if self.faults.calm or self.faults.happens("node comes back"):
                    self.away.discard(device.id)
            elif self.faults.happens("node leaves"):
                self.away.add(device.id)
                for worker in list(self.workers.values()):
                    if worker.device.id == device.id:
                        worker.die(0, lost="its node has left")
            elif self.faults.happens("GPU falls off the bus"):
                self.lost.add(device.id)

    def close(self) -> None:
        self.workers.clear()
        self.readers.clear()
