"""A simulated worker: it speaks the real protocol in bytes, and everything may go wrong with it."""

from __future__ import annotations

import itertools
import random
from collections import deque
from dataclasses import dataclass, field
from signal import SIGKILL
from typing import TYPE_CHECKING

from db.rows import DeviceRow
from engine.protocol.caption_row import CaptionRow, ErrorRow, Row, ScoreRow
from engine.protocol.messages import (
    BatchChanged,
    Cancel,
    Decoding,
    Failed,
    FromWorker,
    Generating,
    LayerComputed,
    Load,
    Loaded,
    LoadFailed,
    LoadFailure,
    Loading,
    ModelSpec,
    Records,
    RequestEnded,
    RootLost,
    Rows,
    Stuck,
    ToWorker,
    Unavailable,
)
from tests.sim.naming import (
    BAD,
    NO_BETTER,
    POISON,
    SERVER_POISON,
    SHARD_SIZE,
    caption_of,
    wrong_caption,
)
from tests.sim.process import SimulatedProcess
from tests.sim.scores import is_scorer, score_row

if TYPE_CHECKING:
    from tests.sim.launcher import SimulatedLauncher

SCORING_TAKES = 6
"""Times as long as a captioner's that a scorer's batches take: captions are to come meanwhile."""
PROBE = ""
"""What stands for the image of the probe, which a worker draws itself."""
Batch = list[tuple[int, str]]
"""(index, image) of the records that go through the model together."""


@dataclass(eq=False)
class HeldRecords:
    """The records of one attempt that the worker holds."""

    task: int
    attempt: int
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    texts: dict[int, dict[str, str]] = field(default_factory=dict)
    """The captions of each record that a scorer is to score, by their digests."""
    prompts: dict[int, str] = field(default_factory=dict)
    """The prompts of the records that are asked again, by index."""
    told: set[int] = field(default_factory=set)
    complete: bool = False
    alone: int | None = None
    """Index of the record that is alone with the worker and has no row yet, or None."""

    def on_rows(self, message: Rows) -> None:
        """Note that rows are sent; those of an attempt before say nothing of the present one."""
        is_own = (message.task, message.attempt) == (self.task, self.attempt)
        if is_own and any(row.i == self.alone for row in message.rows):
            self.alone = None


class SimulatedWorker(SimulatedProcess):
    """A worker that loads models and captions, more or less."""

    def __init__(
        self, launcher: SimulatedLauncher, device: DeviceRow, number: int, rng: random.Random
    ) -> None:
        self.model: ModelSpec | None = None
        self.ready = False
        """True while the model is loaded."""
        self.held: HeldRecords | None = None
        self.told_to_forget = True
        """True if the supervisor has no records with the worker that it may still hold."""
        self.busy = False
        self.batch = rng.choice([1, 2])
        """Records in a batch: with 1, a shard does not fit into one message of records."""
        self.sent_rows: list[Rows] = []
        """Messages with rows that were sent, of which one may come again."""
        self.loads = itertools.count()
        self.names: dict[int, str] = {}
        """Names of the models that it was told to load, by id."""
        super().__init__(launcher, device, number, rng)

    def take(self, message: ToWorker) -> None:
        if isinstance(message, Load):
            self.load(message)
        elif isinstance(message, Records):
            self.hold(message)
        elif isinstance(message, Cancel):
            self.told_to_forget = True
            if not self.fate("while it is told to forget"):
                self.held = None

    def record_alone(self) -> tuple[int, int] | None:
        held = self.held
        if held is None or held.alone is None or held.alone not in held.told:
            return None
        return held.task, held.alone

    def has_captioned(self) -> bool:
        model = self.model
        return model is not None and self.launcher.has_captioned(self.device.id, model)

    # Loads

    def load(self, message: Load) -> None:
        old = self.model
        self.model, self.ready, self.held = message.model, False, None
        self.batch = message.batch or self.batch
        self.names[message.model.id] = message.model.name
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
            self.load_failed(model, "checkpoint")
        elif not remote and happens("load has no memory"):
            self.load_failed(model, "memory")
            self.die(3)
        elif happens("load fails by an exception"):
            self.load_failed(model, "error")
            self.die(4)
        else:
            self.ready = True
            self.say(Loaded(model=model.id, batch=self.batch, seconds=1.0))

    def on_said_twice(self, message: FromWorker) -> None:
        # The next load may have begun: nobody can know that the second message is of the same one.
        if isinstance(message, LoadFailed):
            self.launcher.truth.load_failures[self.names[message.model]] += 1

    def load_failed(self, model: ModelSpec, kind: LoadFailure) -> None:
        self.launcher.truth.load_failures[model.name] += 1
        self.has_given_up = kind != "checkpoint"
        self.say(LoadFailed(model=model.id, kind=kind, text=f"simulated: {kind}"))

    # Records

    def hold(self, message: Records) -> None:
        """Take records, which may begin a new attempt."""
        if not self.ready:
            return
        held = self.held
        if held is None or (held.task, held.attempt) != (message.task, message.attempt):
            if held is not None and held.waiting and not self.told_to_forget:
                self.launcher.truth.breaches.append(
                    f"{self.id} got task {message.task}, and was not told to forget {held.task}"
                )
            self.told_to_forget = False
            held = self.held = HeldRecords(message.task, message.attempt)
        held.waiting.extend(message.records)
        held.texts.update(message.texts)
        if message.settings is not None:
            held.prompts |= {i: message.settings["prompt"] for i, _ in message.records}
        held.alone = message.records[0][0] if message.alone and not message.probe else None
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
        if self.decode(held, batch) and self.generate(held, model, batch):
            self.busy = True
            seconds = self.rng.uniform(0.05, 1.5)
            if is_scorer(model.family):
                seconds *= SCORING_TAKES
            self.later(seconds, lambda: self.end_batch(model, held, batch))

    def decode(self, held: HeldRecords, batch: Batch) -> bool:
        """Return True if the worker has the pictures of the batch."""
        ahead = [i for i, _ in (*batch, *list(held.waiting)[: 2 * self.batch])]
        if new := [i for i in ahead if i not in held.told]:
            held.told.update(new)
            self.say(Decoding(task=held.task, attempt=held.attempt, records=tuple(new)))
        happens = self.faults.happens
        if happens("image root is lost"):
            self.held = None
            self.say(RootLost(task=held.task, attempt=held.attempt, text="no image root"))
        elif happens("worker is stuck in reads"):
            self.say(Stuck(text="reading does not end"))
            self.die(3, stuck=True)
        elif not happens("worker hangs while it decodes") and not self.fate("while it decodes"):
            return True
        return False

    def generate(self, held: HeldRecords, model: ModelSpec, batch: Batch) -> bool:
        """Return True if the batch is with the model, or the server, and nothing happens yet."""
        indexes = tuple(i for i, _ in batch)
        self.say(Generating(task=held.task, attempt=held.attempt, records=indexes))
        if self.device.id.startswith("cpu") and model.family != "endpoint":
            self.say(LayerComputed(attempt=held.attempt))
        images = [image for _, image in batch]
        happens = self.faults.happens
        if self.launcher.is_deadly(self.device.id, model, PROBE in images):
            self.die(-11)
        elif model.family == "endpoint" and self.server_goes(held, batch, images):
            pass
        elif model.family != "endpoint" and any(image.startswith(POISON) for image in images):
            self.die(-11)
        elif happens("worker has a sticky error"):
            self.say(Failed(kind="sticky", text="CUDA error"))
            self.die(4)
        elif happens("batch does not fit") and not self.halve_batch(model):
            self.say(Failed(kind="memory", text="no room for one image"))
            self.die(4)
        elif not happens("worker hangs in a batch") and not self.fate("while it generates"):
            return True
        return False

    def halve_batch(self, model: ModelSpec) -> bool:
        """Return False if not even one image fits."""
        if self.batch == 1 and self.faults.happens("worker is out of memory at batch 1"):
            return False
        self.batch = size = max(1, self.batch // 2)
        self.say(
            BatchChanged(model=model.id, size=size, fits=size, cause="out_of_memory", text="oom")
        )
        return True

    # Servers

    def server_goes(self, held: HeldRecords, batch: Batch, images: list[str]) -> bool:
        """Return True if the server of the worker's model goes away with this batch."""
        with_server = tuple(i for i, _ in batch)
        happens = self.faults.happens
        if any(image.startswith(SERVER_POISON) for image in images):
            self.unavailable(with_server)
        elif happens("server goes away"):
            self.unavailable((*with_server, *(i for i, _ in held.waiting)))
        elif happens("server goes away without records"):
            self.unavailable(())
        elif happens("server is said to have other records"):
            self.unavailable((*range(SHARD_SIZE), -1, 2**40))
        elif happens("server asks to wait"):
            self.unavailable((), seconds=self.rng.choice([1.0, 30.0, 1e5]))
        else:
            return False
        return True

    def unavailable(self, records: tuple[int, ...], seconds: float = 0.0) -> None:
        if self.held is not None and self.held.alone in records:
            self.launcher.truth.on_outage_alone(self.held.task, self.held.alone)
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

    # Rows

    def end_batch(self, model: ModelSpec, held: HeldRecords, batch: Batch) -> None:
        """Send the rows of a batch, in all the ways in which rows can come."""
        self.busy = False
        if self.fate("while it generates"):
            return
        if model.family == "endpoint":
            self.say(RequestEnded(attempt=held.attempt))
        rows: list[Row] = [
            ErrorRow(i, "corrupt", "not an image")
            if BAD in image or (image == PROBE and self.faults.happens("probe image fails"))
            else score_row(i, held.texts.get(i, {}))
            if is_scorer(model.family)
            else self.caption_row(model, held, i, image)
            for i, image in batch
        ]
        happens = self.faults.happens
        if happens("rows come in another order"):
            self.rng.shuffle(rows)
        rows = [self.spoil(held, row) for row in rows]
        if happens("row is left out"):
            rows.pop()
        if rows and happens("rows come doubled"):
            rows.append(self.rng.choice(rows))
        if happens("row out of range"):
            rows.append(
                CaptionRow(self.rng.choice([-1, SHARD_SIZE, 10**6, 2**62]), "out", 1, "stop")
            )
        if happens("row that was not sent"):
            rows += self.launcher.rows_not_sent(model, held.task)
        cut = self.rng.randrange(len(rows) + 1)
        for part in (rows[:cut], rows[cut:]):
            if part:
                self.say_rows(model, Rows(task=held.task, attempt=held.attempt, rows=tuple(part)))
        self.say_foreign_rows(held)
        if not self.fate("after its rows"):
            self.step()

    def caption_row(self, model: ModelSpec, held: HeldRecords, i: int, image: str) -> CaptionRow:
        """Return the caption of a record, which may be no better if it is asked again."""
        prompt = held.prompts.get(i)
        if prompt is not None and self.faults.happens("caption asked again is no better"):
            return CaptionRow(i, NO_BETTER, 3, "stop")
        truth = self.launcher.truth
        wording = truth.wordings[truth.names[held.task]]
        return CaptionRow(i, caption_of(model.name, image, wording, prompt), 3, "stop")

    def say_rows(self, model: ModelSpec, message: Rows) -> None:
        self.sent_rows.append(message)
        if not self.is_failed_probe(message):
            self.launcher.captioned.add((self.device.id, model.name))
        self.say(message)
        if self.held is not None:
            self.held.on_rows(message)

    def is_failed_probe(self, message: Rows) -> bool:
        """Return True if the rows hold nothing but an error instead of the probe's caption."""
        _, shard = self.launcher.truth.names[message.task]
        probe = len(self.launcher.images[shard])
        return all(row.i == probe and isinstance(row, ErrorRow) for row in message.rows)

    def say_foreign_rows(self, held: HeldRecords) -> None:
        """Send rows that must not be kept: they are of another task or attempt, or come again."""
        wrong = tuple(wrong_caption(i) for i in range(SHARD_SIZE))
        happens = self.faults.happens
        if happens("rows of another task"):
            self.say(Rows(task=held.task + 1_000, attempt=held.attempt, rows=wrong))
        if happens("rows of another attempt"):
            self.say(Rows(task=held.task, attempt=held.attempt - 1, rows=wrong))
        if self.sent_rows and happens("rows come again, late"):
            self.say(self.rng.choice(self.sent_rows))

    def spoil(self, held: HeldRecords, row: Row) -> Row:
        """Return the row, or one that cannot be kept."""
        spoilt = self.spoilt_row(row)
        if spoilt is not row:
            self.launcher.truth.unkeepable.add(self.launcher.truth.record(held.task, row.i))
        return spoilt

    def spoilt_row(self, row: Row) -> Row:
        happens = self.faults.happens
        if happens("row with an error of no kind"):
            return ErrorRow(row.i, self.rng.choice(["", "x" * 41, "\0"]), "says the worker")
        if isinstance(row, ScoreRow):
            return self.spoilt_scores(row)
        if not isinstance(row, CaptionRow):
            return row
        if happens("row with impossible tokens"):
            return CaptionRow(row.i, row.raw, self.rng.choice([-1, 2**31, 2**62]), "stop")
        if happens("row with a caption too large"):
            return CaptionRow(row.i, "x" * (2**20 + 1), 3, "stop")
        if happens("row that ends in no known way"):
            return CaptionRow(row.i, row.raw, 3, "tired")
        if happens("row that excludes its record"):
            return ErrorRow(row.i, "excluded", "says the worker")
        return row

    def spoilt_scores(self, row: ScoreRow) -> ScoreRow:
        happens = self.faults.happens
        if row.scores and happens("row with a score that is no number"):
            return ScoreRow(row.i, dict.fromkeys(row.scores, float("nan")))
        if happens("row with scores of other captions"):
            return ScoreRow(row.i, self.rng.choice([{}, {**row.scores, "0" * 16: 0.5}]))
        return row
