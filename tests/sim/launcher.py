"""The launcher of a simulated run: devices that come and go, and workers in virtual time."""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Callable, Mapping, Sequence

from db.rows import DeviceRow
from engine.launchers.base import WorkerExit
from engine.protocol.caption_row import CaptionRow, Row
from engine.protocol.framing import MessageReader
from engine.protocol.messages import FromWorker, ModelSpec, ProtocolError
from tests.sim.faults import Faults
from tests.sim.naming import caption_of
from tests.sim.process import SimulatedProcess
from tests.sim.scores import is_scorer
from tests.sim.truth import Truth
from tests.sim.virtual_time import VirtualTime
from tests.sim.worker import SimulatedWorker

SPARE_DEVICE = "spare/cuda:0"
"""A device that is not there when a run starts, and may come."""


class SimulatedLauncher:
    """Devices and workers of one run (`engine.launchers.base.Launcher`)."""

    numbers = itertools.count(1)

    def __init__(
        self,
        devices: Sequence[str],
        faults: Faults,
        time: VirtualTime,
        rng: random.Random,
        truth: Truth,
        images: Mapping[int, Sequence[str]],
        on_turn: Callable[[], None],
        on_exit: Callable[[str], None],
    ) -> None:
        """`images` are those of each shard. `on_turn` is called at each turn of the supervisor's
        loop, `on_exit` with the id of a worker whose end the supervisor is about to hear of."""
        self.faults = faults
        self.time = time
        self.rng = rng
        self.truth = truth
        self.images = images
        self.on_turn = on_turn
        self.on_exit = on_exit
        self.all_devices = [DeviceRow(id=device, label="simulated") for device in devices]
        self.away: set[str] = set()
        self.workers: dict[str, SimulatedProcess] = {}
        self.readers: dict[str, MessageReader] = {}
        self.received: list[tuple[SimulatedProcess, FromWorker | WorkerExit]] = []
        self.captioned: set[tuple[str, str]] = set()
        """(Device id, name of the model) pairs of which rows have come in this run."""
        self.deadly: dict[tuple[str, str], bool] = {}
        """What was drawn of each device and model in this run: True if it ends its workers."""
        self.latest: dict[str, DeviceRow] = {}
        self.lost: set[str] = set()
        """With `latest`, the monitor of the devices (`DeviceMonitor`)."""

    def devices(self) -> list[DeviceRow]:
        return [device for device in self.all_devices if device.id not in self.away]

    def start(self, device: DeviceRow) -> SimulatedWorker:
        if self.faults.happens("worker cannot be started"):
            raise OSError(errno.EAGAIN, "simulated")
        if device.id in self.away:
            self.truth.breaches.append(f"a worker was started on {device.id}, which had left")
        worker = SimulatedWorker(self, device, next(self.numbers), self.rng)
        self.workers[worker.id] = worker
        self.readers[worker.id] = MessageReader()
        return worker

    # What workers ask

    def has_captioned(self, device: str, model: ModelSpec) -> bool:
        return (device, model.name) in self.captioned

    def is_deadly(self, device: str, model: ModelSpec, probe: bool) -> bool:
        """Return True if the device or the model ends its worker at this batch, whatever is in it.

        `probe` is True if it is the probe image.
        """
        return (
            self.draw("device ends its worker at everything", device)
            or self.draw("model ends its worker at everything", model.name)
            or (not probe and self.draw("model captions nothing but the probe image", model.name))
        )

    def draw(self, kind: str, name: str) -> bool:
        """Return what was drawn of a device or model when it was first asked about in this run."""
        if (kind, name) not in self.deadly:
            self.deadly[kind, name] = self.faults.happens(kind)
        return self.deadly[kind, name]

    def rows_not_sent(self, model: ModelSpec, task_id: int) -> list[Row]:
        """Return the right row of a record that the task's worker was not sent, if there is one.

        A right one, since it may be sent before this row arrives; that none is written before is
        checked at each write.
        """
        if is_scorer(model.family):
            return []
        _, sent = self.truth.sent[task_id]
        name = self.truth.names[task_id]
        images, wording = self.images[name[1]], self.truth.wordings[name]
        for i, image in enumerate(images):
            if i not in sent and image.startswith("good"):
                return [CaptionRow(i, caption_of(model.name, image, wording), 3, "stop")]
        return []

    # Messages

    def feed(self, worker: SimulatedProcess, data: bytes) -> None:
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

    def deliver(self, worker: SimulatedProcess, message: FromWorker | WorkerExit) -> None:
        self.received.append((worker, message))
        if isinstance(message, WorkerExit):
            self.readers.pop(worker.id, None)
            if self.workers.pop(worker.id, None) is not None:
                self.on_exit(worker.id)

    def receive(self, timeout: float) -> list[tuple[SimulatedProcess, FromWorker | WorkerExit]]:
        self.on_turn()
        self.move_devices()
        begins_early = self.rng.random() < 0.6
        self.time.advance(self.time.now + timeout, lambda: begins_early and bool(self.received))
        received, self.received = self.received, []
        return received

    # Devices

    def move_devices(self) -> None:
        for device in list(self.all_devices):
            if device.id in self.away:
                if self.faults.calm or self.faults.happens("node comes back"):
                    self.away.discard(device.id)
            elif self.faults.happens("node leaves"):
                self.away.add(device.id)
                for worker in list(self.workers.values()):
                    if worker.device.id == device.id:
                        worker.die(0, lost="its node has left")
            elif device.id not in self.lost and self.faults.happens("GPU falls off the bus"):
                self.lost.add(device.id)
        is_there = any(device.id == SPARE_DEVICE for device in self.all_devices)
        if not is_there and self.faults.happens("another node comes"):
            self.all_devices.append(DeviceRow(id=SPARE_DEVICE, label="simulated"))

    def close(self) -> None:
        self.workers.clear()
        self.readers.clear()
