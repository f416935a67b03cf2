"""The process of a simulated worker: what comes in and out of it, and how it ends."""

from __future__ import annotations

import random
from collections.abc import Callable
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from db.rows import DeviceRow
from engine.launchers.base import WorkerExit
from engine.protocol.framing import encode, parse_line
from engine.protocol.messages import (
    FromWorker,
    Heartbeat,
    Ready,
    Records,
    ToWorker,
    WaitingForSlot,
    from_supervisor,
)
from engine.supervisor.poison import CRASH_WEIGHT, KILL_WEIGHT

if TYPE_CHECKING:
    from tests.sim.launcher import SimulatedLauncher

HEARTBEAT_SECONDS = 3.0
LATE_SECONDS = 2.0
"""The most that a message is on its way."""
CRASH_CODES = (-11, -6, 1, 3, 4)
FOREIGN_LINES = (
    b"\xff\xfe\n",
    b'"a text"\n',
    b"[" * 200 + b"\n",
    b"Loading checkpoint shards: 100%\n",
)
"""Lines that are no JSON, or no object."""
NO_MESSAGES = (
    b'{"type": "dance"}\n',
    b'{"type": "rows", "task": "x"}\n',
    b'{"type": "rows", "task": 1, "attempt": 1, "rows": [{"i": "0"}]}\n',
    b'{"type": "loaded", "model": 1, "batch": 0, "seconds": 1}\n',
    b"{}\n",
)
"""Lines of JSON that are no messages."""


class SimulatedProcess:
    """A worker's process and its supervisor's handle of it in one (`WorkerHandle`)."""

    def __init__(
        self, launcher: SimulatedLauncher, device: DeviceRow, number: int, rng: random.Random
    ) -> None:
        self.launcher = launcher
        self.faults = launcher.faults
        self.time = launcher.time
        self.rng = rng
        self.id = f"worker-{number}"
        self.device = device
        self.cores = 1
        self.pid = 4_000_000 + number
        self.created = 1.0
        self.boot_id = "simulated"
        self.alive = True
        self.frozen = False
        self.told_to_end = False
        """True once the supervisor has sent SIGTERM or SIGKILL."""
        self.has_given_up = False
        """True once it has said that a load failed and that it exits for it."""
        self.killed = False
        self.slow = self.faults.happens("messages come late")
        """True if its messages are on their way for a while."""
        self.last_arrival = 0.0
        self.last_sent = 0.0
        self.kept_back: bytes | None = None
        """A message that is to come after the next one."""
        if self.faults.happens("worker waits for a slot"):
            self.launcher.deliver(self, WaitingForSlot(text="waiting for a slot"))
            self.time.after(self.rng.uniform(5, 40), self.come_up)
        else:
            self.time.after(self.rng.uniform(0, 2), self.come_up)

    # What the supervisor does with it

    def send(self, message: ToWorker) -> None:
        received = from_supervisor(parse_line(encode(message)[:-1]))
        if isinstance(received, Records):
            indexes = {i for i, _ in received.records}
            self.launcher.truth.on_sent(received.task, received.attempt, indexes)
        delay = self.rng.uniform(0, LATE_SECONDS if self.slow else 0.05)
        self.last_arrival = max(self.last_arrival, self.time.now + delay)
        self.later(self.last_arrival - self.time.now, lambda: self.take(received))

    def take(self, message: ToWorker) -> None:
        """Carry out a message of the supervisor."""
        raise NotImplementedError

    def terminate(self) -> None:
        self.told_to_end = True
        if not self.frozen and not self.faults.happens("worker outlives SIGTERM"):
            self.time.after(self.rng.uniform(0, 1), lambda: self.die(-SIGTERM))

    def kill(self) -> None:
        self.told_to_end = True
        if not self.killed:
            self.killed = True
            stays = self.faults.happens("worker outlives SIGKILL")
            delay = 1_000.0 if stays else self.rng.uniform(0, 0.2)
            self.time.after(delay, lambda: self.die(-SIGKILL))

    # What it writes

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen if the worker is alive and well then."""

        def if_well() -> None:
            if self.alive and not self.frozen:
                what()

        self.time.after(seconds, if_well)

    def say(self, message: FromWorker) -> None:
        if not self.alive or self.frozen:
            return
        data = encode(message)
        if self.faults.happens("messages change places") and self.kept_back is None:
            self.kept_back = data
            return
        self.write(data)
        if self.faults.happens("message comes twice"):
            self.write(data)
            self.on_said_twice(message)
        self.write_kept_back()

    def on_said_twice(self, message: FromWorker) -> None:
        """Take note of a message that comes twice."""
        raise NotImplementedError

    def write_kept_back(self) -> None:
        if self.kept_back is not None:
            data, self.kept_back = self.kept_back, None
            self.write(data)

    def write(self, data: bytes) -> None:
        """Have bytes come to the supervisor, after those that were written before."""
        delay = self.rng.uniform(0, LATE_SECONDS) if self.slow else 0.0
        self.last_sent = max(self.last_sent, self.time.now + delay)
        self.time.after(self.last_sent - self.time.now, lambda: self.launcher.feed(self, data))

    def die(
        self,
        code: int,
        protocol_error: str | None = None,
        lost: str | None = None,
        stuck: bool = False,
    ) -> None:
        if not self.alive:
            return
        self.write_kept_back()
        self.alive = False
        alone = self.record_alone()
        if self.faults.happens("message cut by the end of the worker"):
            whole = encode(Heartbeat(rss=1))
            self.write(whole[: self.rng.randrange(len(whole) - 1)])

        def deliver() -> None:
            if alone is not None and (weight := self.weight(code, lost, stuck)):
                shown = stuck or self.has_captioned()
                self.launcher.truth.on_end_alone(*alone, weight, shown)
            ended = WorkerExit(code, protocol_error, lost)
            self.launcher.deliver(self, ended)
            if self.faults.happens("worker's end is told twice"):
                self.launcher.deliver(self, ended)

        self.time.after(max(0.0, self.last_sent - self.time.now), deliver)

    def record_alone(self) -> tuple[int, int] | None:
        """Return (task id, index) of the record that alone may be the cause of an end now."""
        raise NotImplementedError

    def has_captioned(self) -> bool:
        """Return True if the device has captioned something with the model, in this run."""
        raise NotImplementedError

    def weight(self, code: int, lost: str | None, stuck: bool) -> int:
        """Return how much an end says against a record that was alone, as the page has it."""
        if lost is not None and not self.told_to_end:
            return 0
        if stuck or (code in (-SIGKILL, -SIGTERM) and not self.told_to_end):
            return KILL_WEIGHT
        return CRASH_WEIGHT

    def come_up(self) -> None:
        if self.alive:
            self.say(Ready())
            if not self.fate("while it starts"):
                self.beat()

    def beat(self) -> None:
        self.say(Heartbeat(rss=1))
        self.later(HEARTBEAT_SECONDS, self.beat)

    def fate(self, doing: str) -> bool:
        """Return True if the worker comes to its end, or to a standstill, at this point."""
        happens = self.faults.happens
        if happens(f"worker dies {doing}"):
            self.die(self.rng.choice(CRASH_CODES))
        elif happens("worker is killed"):
            self.die(-SIGKILL)
        elif happens("worker is terminated from outside"):
            self.die(-SIGTERM)
        elif happens("machine is lost"):
            self.die(0, lost="its machine is lost")
        elif happens("worker freezes"):
            self.frozen = True
        elif happens("line that is no JSON"):
            self.write(self.rng.choice(FOREIGN_LINES))
        elif happens("line that is no message"):
            self.write(self.rng.choice(NO_MESSAGES))
        elif happens("line cut in the middle"):
            whole = encode(Heartbeat(rss=1))
            self.write(whole[: self.rng.randrange(1, len(whole) - 1)] + b"\n")
        else:
            return False
        return True
