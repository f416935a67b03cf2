"""A simulated worker: it speaks the real protocol in bytes, and everything may go wrong with it."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from db.rows import DeviceRow
from engine.launchers.base import WorkerExit
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row
from engine.protocol.framing import encode, parse_line
from engine.protocol.messages import (
    BatchChanged,
    Cancel,
    Decoding,
    Failed,
    FromWorker,
    Generating,
    Heartbeat,
    Load,
    Loaded,
    LoadFailed,
    Loading,
    ModelSpec,
    Ready,
    Records,
    RequestEnded,
    RootLost,
    Rows,
    Stuck,
    ToWorker,
    Unavailable,
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
SHARD_SIZE = 10
"""Records of every shard but the last one."""
POISON, SERVER_POISON, BAD = "poison", "server-poison", "bad"
"""Parts of the names of images that end their worker, end their server, or cannot be read."""


def caption_of(model: str, image: str) -> str:
    """Return what a simulated model says of an image: each pair has a caption of its own."""
    return f"{model} says {image.partition('.')[0]}."


def wrong_caption(i: int) -> CaptionRow:
    """Return a row that must never be kept."""
    return CaptionRow(i, "a caption of another picture.", 3, "stop")


@dataclass(eq=False)
class HeldRecords:
    """The records of one attempt that the worker holds."""

    task: int
    attempt: int
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    told: set[int] = field(default_factory=set)
    complete: bool = False
    alone: int | None = None
    """Index of the record that is alone with the worker and has no row yet, or None."""


class SimulatedWorker:
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
        self.ending = False
        self.model: ModelSpec | None = None
        self.ready = False
        """True while the model is loaded."""
        self.held: HeldRecords | None = None
        self.busy = False
        self.batch = 2
        self.last_arrival = 0.0
        self.last_sent = 0.0
        self.sent_rows: list[Rows] = []
        """Messages with rows that were sent, of which one may come again."""
        self.sent_indexes: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        """Indexes of the records that were sent, by task id and attempt number."""
        self.loads = itertools.count()
        if self.faults.happens("worker waits for a slot"):
            self.launcher.deliver(self, WaitingForSlot(text="waiting for a slot"))
            self.time.after(self.rng.uniform(5, 40), self.come_up)
        else:
            self.time.after(self.rng.uniform(0, 2), self.come_up)

    # What the supervisor does with it

    def send(self, message: ToWorker) -> None:
        received = from_supervisor(parse_line(encode(message)[:-1]))
        if isinstance(received, Records):
            key = received.task, received.attempt
            self.sent_indexes[key].update(i for i, _ in received.records)
        delay = self.rng.uniform(0, LATE_SECONDS) if self.late() else self.rng.uniform(0, 0.05)
        self.last_arrival = max(self.last_arrival, self.time.now + delay)
        self.later(self.last_arrival - self.time.now, lambda: self.take(received))

    def terminate(self) -> None:
        if not self.frozen and not self.faults.happens("worker outlives SIGTERM"):
            self.time.after(self.rng.uniform(0, 1), lambda: self.die(-SIGTERM))

    def kill(self) -> None:
        if not self.ending:
            self.ending = True
            stays = self.faults.happens("worker outlives SIGKILL")
            delay = 1_000.0 if stays else self.rng.uniform(0, 0.2)
            self.time.after(delay, lambda: self.die(-SIGKILL))

    # What it writes

    def late(self) -> bool:
        return self.faults.happens("messages come late")

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen if the worker is alive and well then."""

        def if_well() -> None:
            if self.alive and not self.frozen:
                what()

        self.time.after(seconds, if_well)

    def say(self, message: FromWorker) -> None:
        if self.alive and not self.frozen:
            self.write(encode(message))

    def write(self, data: bytes) -> None:
        """Have bytes come to the supervisor, after those that were written before."""
        delay = self.rng.uniform(0, LATE_SECONDS) if self.late() else 0.0
        self.last_sent = max(self.last_sent, self.time.now + delay)
        self.time.after(self.last_sent - self.time.now, lambda: self.launcher.feed(self, data))

    def die(self, code: int, protocol_error: str | None = None, lost: str | None = None) -> None:
        if not self.alive:
            return
        self.alive = False
        if self.held is not None and self.held.alone is not None:
            weight = KILL_WEIGHT if code in (-SIGKILL, -SIGTERM) or code == 3 else CRASH_WEIGHT
            self.launcher.on_end_alone(self.held.task, self.held.alone, weight)
        if self.faults.happens("message cut by the end of the worker"):
            whole = encode(Heartbeat(rss=1))
            self.write(whole[: self.rng.randrange(len(whole) - 1)])
        wait = max(0.0, self.last_sent - self.time.now)
        ended = WorkerExit(code, protocol_error, lost)
        self.time.after(wait, lambda: self.launcher.deliver(self, ended))

    def come_up(self) -> None:
        if self.alive:
            self.say(Ready())
            self.beat()

    def beat(self) -> None:
        self.say(Heartbeat(rss=1))
        self.later(HEARTBEAT_SECONDS, self.beat)

    # What it does

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
            self.write(b"A library printed this\n")
        elif happens("line that is no message"):
            self.write(b'{"type": "rows", "task": "x"}\n')
        else:
            return False
        return True

    def take(self, message: ToWorker) -> None:
        """Carry out a message of the supervisor."""
        if isinstance(message, Load):
            self.load(message)
        elif isinstance(message, Records):
            self.hold(message)
        elif isinstance(message, Cancel):
            self.held = None

    def load(self, message: Load) -> None:
        old = self.model
        self.model, self.ready, self.held = message.model, False, None
        self.batch = message.batch or self.batch
        if old is not None and self.faults.happens("message of a model that was loaded before"):
            self.say(BatchChanged(model=old.id, size=1, fits=1, cause="throughput", text="late"))
            self.say(Loaded(model=old.id, batch=1, seconds=1.0))
        self.say(Loading(text="starting"))
        if self.fate("while it loads") or self.faults.happens("worker hangs in a load"):
            return
        number = next(self.loads)
        self.later(self.rng.uniform(0, 5), lambda: self.end_load(message.model, number))

    def end_load(self, model: ModelSpec, number: int) -> None:
        if self.model is not model:
            return
        happens = self.faults.happens
        remote = model.family == "endpoint"
        if happens("load is killed"):
            self.die(-SIGKILL)
        elif remote and happens("server is away at a load"):
            self.unavailable(())
        elif not remote and happens("checkpoint is bad"):
            self.model = None
            self.say(LoadFailed(model=model.id, kind="checkpoint", text="a key is missing"))
        elif not remote and happens("load has no memory"):
            self.say(LoadFailed(model=model.id, kind="memory", text="no room"))
            self.die(3)
        elif happens("load fails by an exception"):
            self.say(LoadFailed(model=model.id, kind="error", text="OSError"))
            self.die(4)
        else:
            self.ready = True
            self.say(Loaded(model=model.id, batch=self.batch, seconds=1.0))

    def hold(self, message: Records) -> None:
        """Take records, which may begin a new attempt."""
        if not self.ready:
            return
        held = self.held
        if held is None or (held.task, held.attempt) != (message.task, message.attempt):
            held = self.held = HeldRecords(message.task, message.attempt)
        held.waiting.extend(message.records)
        held.alone = message.records[0][0] if message.alone else None
        held.complete = message.last or message.alone
        self.step()

    def step(self) -> None:
        """Begin the next batch, if there is one."""
        held, model = self.held, self.model
        if self.busy or held is None or model is None or not held.waiting:
            if held is None and not self.busy:
                self.fate("idle")
            return
        if len(held.waiting) < self.batch and not held.complete:
            return
        batch = [held.waiting.popleft() for _ in range(min(self.batch, len(held.waiting)))]
        ahead = [i for i, _ in (*batch, *list(held.waiting)[: 2 * self.batch])]
        if new := [i for i in ahead if i not in held.told]:
            held.told.update(new)
            self.say(Decoding(task=held.task, attempt=held.attempt, records=tuple(new)))
        if self.faults.happens("image root is lost"):
            self.held = None
            self.say(RootLost(task=held.task, attempt=held.attempt, text="no image root"))
            return
        if self.faults.happens("worker is stuck in reads"):
            self.say(Stuck(text="reading does not end"))
            self.die(3)
            return
        if self.fate("while it decodes"):
            return
        indexes = tuple(i for i, _ in batch)
        self.say(Generating(task=held.task, attempt=held.attempt, records=indexes))
        images = [image for _, image in batch]
        if model.family == "endpoint":
            if self.server_goes(held, batch, images):
                return
        elif any(image.startswith(POISON) for image in images):
            self.die(-11)
            return
        if self.faults.happens("worker hangs in a batch") or self.fate("while it generates"):
            return
        if self.faults.happens("batch does not fit"):
            if self.batch == 1 and self.faults.happens("worker is out of memory at batch 1"):
                self.say(Failed(kind="memory", text="no room for one image"))
                self.die(4)
                return
            self.batch = max(1, self.batch // 2)
            change = BatchChanged(
                model=model.id, size=self.batch, fits=self.batch, cause="out_of_memory", text="oom"
            )
            self.say(change)
        if self.faults.happens("worker has a sticky error"):
            self.say(Failed(kind="sticky", text="CUDA error"))
            self.die(4)
            return
        self.busy = True
        self.later(self.rng.uniform(0.05, 1.5), lambda: self.end_batch(model, held, batch))

    def server_goes(
        self, held: HeldRecords, batch: list[tuple[int, str]], images: list[str]
    ) -> bool:
        """Return True if the server of the worker's model goes away with this batch."""
        with_server = tuple(i for i, _ in batch)
        if any(image.startswith(SERVER_POISON) for image in images):
            self.unavailable(with_server)
        elif self.faults.happens("server goes away"):
            self.unavailable((*with_server, *(i for i, _ in held.waiting)))
        elif self.faults.happens("server goes away without records"):
            self.unavailable(())
        elif self.faults.happens("server asks to wait"):
            self.unavailable((), seconds=self.rng.choice([1.0, 30.0, 1e5]))
        else:
            return False
        return True

    def unavailable(self, records: tuple[int, ...], seconds: float = 0.0) -> None:
        if self.held is not None and self.held.alone in records:
            self.launcher.on_outage_alone(self.held.task, self.held.alone)
        model, self.model, self.held, self.ready = self.model, None, None, False
        assert model is not None
        self.say(
            Unavailable(
                model=model.id,
                cause="overloaded" if seconds else "failing",
                text="HTTP 503",
                seconds=seconds,
                records=records,
            )
        )

    def end_batch(self, model: ModelSpec, held: HeldRecords, batch: list[tuple[int, str]]) -> None:
        """Send the rows of a batch, in all the ways in which rows can come."""
        self.busy = False
        if self.fate("while it generates"):
            return
        if model.family == "endpoint":
            self.say(RequestEnded(attempt=held.attempt))
        rows: list[Row] = [
            ErrorRow(i, "corrupt", "not an image")
            if BAD in image
            else CaptionRow(i, caption_of(model.name, image), 3, "stop")
            for i, image in batch
        ]
        happens = self.faults.happens
        if happens("rows come in another order"):
            self.rng.shuffle(rows)
        rows = [self.spoil(row) for row in rows]
        if happens("rows come doubled"):
            rows.append(self.rng.choice(rows))
        if happens("row out of range"):
            rows.append(CaptionRow(self.rng.choice([-1, 10**6, 2**62]), "out", 1, "stop"))
        if happens("row that was not sent"):
            sent = self.sent_indexes[held.task, held.attempt]
            others = [i for i in range(SHARD_SIZE) if i not in sent]
            rows += [wrong_caption(i) for i in others[:1]]
        cut = self.rng.randrange(len(rows) + 1)
        for part in (rows[:cut], rows[cut:]):
            if part:
                self.say_rows(Rows(task=held.task, attempt=held.attempt, rows=tuple(part)))
        if happens("rows of another task"):
            wrong = tuple(wrong_caption(i) for i in range(SHARD_SIZE))
            self.say(Rows(task=held.task + 1_000, attempt=held.attempt, rows=wrong))
        if happens("rows of another attempt"):
            wrong = tuple(wrong_caption(i) for i in range(SHARD_SIZE))
            self.say(Rows(task=held.task, attempt=held.attempt - 1, rows=wrong))
        if happens("rows come again, late"):
            self.say(self.rng.choice(self.sent_rows))
        if not self.fate("after its rows"):
            self.step()

    def say_rows(self, message: Rows) -> None:
        self.sent_rows.append(message)
        self.say(message)
        if self.held is not None and any(row.i == self.held.alone for row in message.rows):
            self.held.alone = None

    def spoil(self, row: Row) -> Row:
        """Return the row, or one that cannot be kept."""
        if not isinstance(row, CaptionRow):
            return row
        if self.faults.happens("row with impossible tokens"):
            return CaptionRow(row.i, row.raw, self.rng.choice([-1, 2**31, 2**62]), "stop")
        if self.faults.happens("row with a caption too large"):
            return CaptionRow(row.i, "x" * (2**20 + 1), 3, "stop")
        if self.faults.happens("row that excludes its record"):
            return ErrorRow(row.i, "excluded", "says the worker")
        return row
