"""Batches that are captioned side by side, by lanes and by a worker inside this process."""

from __future__ import annotations

import io
import threading
from concurrent.futures import Future

import pytest

from engine.captioners.base import Caption, Captioner
from engine.images.image import ImagePaths, ImageProblem
from engine.images.missing_root import MissingImages
from engine.protocol import messages
from engine.worker.batch_lanes import Lanes
from engine.worker.batch_tuner import BatchTuner
from engine.worker.inflight import InflightRecords
from engine.worker.worker import Worker
from tests.support.waiting import TIMEOUT_SECONDS

SIZE = 4


class Gated(Captioner):
    """A captioner whose batches each wait at a gate until the test opens it."""

    batch = SIZE
    concurrent_batches = True

    def __init__(self) -> None:
        self.gates: list[tuple[list, threading.Event]] = []
        """(inputs, gate) of each batch in the order in which they began."""
        self.waits = True
        """False if batches pass without a gate."""
        self.largest = 10**6
        """Number of images that fit into memory."""
        self.refused: list[int] = []
        """Sizes of batches that did not fit."""

    def prepare(self, picture):
        return picture

    def caption(self, inputs, records):
        if len(inputs) > self.largest:
            self.refused.append(len(inputs))
            raise MemoryError("this many do not fit")
        gate = threading.Event()
        self.gates.append((list(inputs), gate))
        assert not self.waits or gate.wait(10)
        return [Caption(str(image), 1, "stop") for image in inputs]


class WakeCounter:
    """A `wake` that counts its calls, so that a test can wait for the next one."""

    def __init__(self) -> None:
        self.calls = threading.Semaphore(0)

    def __call__(self) -> None:
        self.calls.release()

    def wait(self) -> None:
        assert self.calls.acquire(timeout=TIMEOUT_SECONDS)


def inputs(first: int, count: int = SIZE):
    """Return (index, prepared input) of so many records."""
    return [(i, f"image {i}") for i in range(first, first + count)]


@pytest.fixture
def woken():
    return WakeCounter()


@pytest.fixture
def lanes(woken):
    lanes = Lanes(Gated(), 2, woken, "cpu")
    yield lanes
    for _, gate in lanes.captioner.gates:
        gate.set()
    lanes.close()


def open_gate(lanes: Lanes, number: int) -> None:
    """Wait until batch `number`, counted from 0, has begun, and let it go."""
    while len(lanes.captioner.gates) <= number:
        threading.Event().wait(0.001)
    lanes.captioner.gates[number][1].set()


INFLIGHT = InflightRecords(task=1, attempt=1, first_record_id=0)


def warm_up(lanes: Lanes, woken: WakeCounter) -> None:
    """Caption the first batch, which runs alone."""
    lanes.start(INFLIGHT, inputs(0), SIZE)
    open_gate(lanes, 0)
    woken.wait()
    assert len(list(lanes.pop_finished())) == 1


def test_the_first_batch_goes_alone_and_others_side_by_side(lanes, woken):
    lanes.start(INFLIGHT, inputs(0), SIZE)
    assert lanes.free_lanes == 0
    open_gate(lanes, 0)
    woken.wait()
    assert [batch.ready[0][0] for batch in lanes.pop_finished()] == [0]
    assert lanes.free_lanes == 2
    lanes.start(INFLIGHT, inputs(4), SIZE)
    lanes.start(INFLIGHT, inputs(8), SIZE)
    assert lanes.free_lanes == 0
    open_gate(lanes, 1)
    open_gate(lanes, 2)
    woken.wait()
    woken.wait()
    assert sorted(batch.ready[0][0] for batch in lanes.pop_finished()) == [4, 8]


def test_the_later_one_may_end_first(lanes, woken):
    warm_up(lanes, woken)
    lanes.start(INFLIGHT, inputs(4), SIZE)
    while len(lanes.captioner.gates) < 2:
        threading.Event().wait(0.001)
    lanes.start(INFLIGHT, inputs(8), SIZE)
    open_gate(lanes, 2)
    woken.wait()
    (batch,) = lanes.pop_finished()
    assert [caption.raw for caption in batch.captions.result()] == [
        f"image {i}" for i in range(8, 12)
    ]
    assert lanes.free_lanes == 1


def test_narrowed_it_waits_for_what_runs_and_goes_on_with_one(lanes, woken):
    warm_up(lanes, woken)
    lanes.start(INFLIGHT, inputs(4), SIZE)
    lanes.start(INFLIGHT, inputs(8), SIZE)
    opener = threading.Timer(0.05, lambda: (open_gate(lanes, 1), open_gate(lanes, 2)))
    opener.start()
    lanes.use_single_lane()
    assert all(batch.captions.done() for batch in lanes.running)
    woken.wait()
    woken.wait()
    assert len(list(lanes.pop_finished())) == 2
    assert lanes.free_lanes == 1


@pytest.fixture
def worker(tmp_path):
    """A worker with `Gated` loaded, batches side by side, and the messages that it sent."""
    made = Worker(io.BytesIO(), io.BytesIO())
    captioner = Gated()
    made.captioner, made.batch_size = captioner, SIZE
    made.lanes = Lanes(captioner, 2, made.wake, "cpu")
    made.lanes.open_lanes = 2
    sent = []
    made.send = sent.append
    made.model = {"id": 1}

    class Prefetcher:
        """Images that are decoded at once, but for one that is late, or are missing."""

        threads, cpu_seconds = 1, 0.0
        late = 10**6
        missing = ()

        def start(self, i, image):
            future = Future()
            if i != self.late:
                future.set_result(image)
            return future

        def result(self, image, future):
            if image in self.missing:
                raise ImageProblem("missing", image)
            if not future.done():
                sent.append({"type": "waits"})
                future.set_result(image)
            return future.result()

        def forget_files(self):
            pass

    made.prefetcher = Prefetcher()
    made.missing_images = MissingImages(ImagePaths(str(tmp_path)), None)
    yield made, sent
    for _, gate in captioner.gates:
        gate.set()
    made.lanes.close()


def records(first: int, count: int, last: bool = False):
    """Return the message with so many records from index `first` on."""
    return {
        "type": "records",
        "task": 1,
        "attempt": 1,
        "first": 0,
        "records": [[i, f"image {i}"] for i in range(first, first + count)],
        "last": last,
        "alone": False,
    }


def rows_of(sent) -> dict[int, str]:
    """Return caption or error by index; no record may have two rows."""
    rows = {}
    for message in sent:
        if message["type"] == "rows":
            for row in message["rows"]:
                assert row["i"] not in rows
                rows[row["i"]] = row.get("raw", row.get("error"))
    return rows


def turn(made: Worker) -> None:
    """Take steps as `Worker.run` does, until a step would get nowhere."""
    while made.can_step():
        made.step(made.inflight)


def finish(made: Worker) -> None:
    """Let every batch go, and take steps until all records are captioned."""
    made.captioner.waits = False
    for _, gate in made.captioner.gates:
        gate.set()
    while made.inflight.queued or made.lanes.running:
        turn(made)
        if made.lanes.running:
            made.handle(made.inbox.get(timeout=TIMEOUT_SECONDS))


@pytest.fixture
def waiting(worker):
    """A worker that captions its first batch while the second waits for its last image."""
    made, sent = worker
    made.prefetcher.late = 5
    made.handle(records(0, 8, last=True))
    turn(made)
    assert len(made.lanes.running) == 1
    return made, sent


def test_images_are_waited_for_once_nothing_else_is_under_way(waiting):
    made, sent = waiting
    finish(made)
    assert rows_of(sent) == {i: f"image {i}" for i in range(8)}
    kinds = [message["type"] for message in sent]
    assert kinds.index("rows") < kinds.index("waits")


def test_a_batch_begins_beside_another_once_its_last_image_is_decoded(waiting):
    made, _ = waiting
    late = next(future for i, _, future in made.inflight.decoding if i == 5)
    late.set_result("image 5")
    assert made.inbox.get(timeout=TIMEOUT_SECONDS) == {"type": "wake"}
    turn(made)
    assert len(made.lanes.running) == 2


@pytest.mark.parametrize("count", [1, 7, 8, 9, 30])
def test_every_record_gets_its_own_caption(worker, count):
    made, sent = worker
    made.handle(records(0, count, last=True))
    finish(made)
    assert rows_of(sent) == {i: f"image {i}" for i in range(count)}


def test_the_last_batches_are_smaller(worker):
    made, _ = worker
    made.batch_size = 16
    made.handle(records(0, 40, last=True))
    finish(made)
    sizes = [len(images) for images, _ in made.captioner.gates]
    assert sum(sizes) == 40
    assert sizes[0] == 16
    assert sizes[-1] <= 4


def test_images_that_fail_do_not_keep_the_batch_from_growing(worker):
    made, _ = worker
    made.tuner = BatchTuner(SIZE)
    made.prefetcher.missing = {f"image {i}" for i in range(0, 400, SIZE)}
    made.handle(records(0, 100, last=True))
    finish(made)
    assert made.batch_size > SIZE or made.tuner is None


def test_rows_of_a_cancelled_attempt_name_that_attempt(worker):
    made, sent = worker
    made.handle(records(0, 8))
    turn(made)
    made.handle({"type": "cancel"})
    assert not made.can_step()
    made.handle(records(0, 4, last=True) | {"attempt": 2})
    open_gate(made.lanes, 0)
    open_gate(made.lanes, 1)
    made.inbox.get(timeout=TIMEOUT_SECONDS)
    made.inbox.get(timeout=TIMEOUT_SECONDS)
    turn(made)
    attempts = [message["attempt"] for message in sent if message["type"] == "rows"]
    assert attempts == [1, 1]


def test_a_suspect_is_captioned_alone_even_by_a_worker_that_was_cancelled(worker):
    made, sent = worker
    made.handle(records(0, 4))
    turn(made)
    made.handle({"type": "cancel"})
    made.handle(records(9, 1) | {"attempt": 2, "alone": True})
    turn(made)
    assert len(made.lanes.running) == 1
    finish(made)
    assert [message["attempt"] for message in sent if message["type"] == "rows"] == [1, 2]


def test_what_does_not_fit_beside_another_batch_is_tried_alone_before_it_is_halved(worker):
    made, sent = worker
    made.captioner.largest, made.captioner.waits = 3, False
    made.handle(records(0, 8, last=True))
    finish(made)
    assert rows_of(sent) == {i: f"image {i}" for i in range(8)}
    assert made.captioner.refused[:2] == [4, 4]
    assert [message["size"] for message in sent if message["type"] == "batch"] == [2]
    assert made.lanes.max_lanes == 1


def test_rows_of_missing_images_are_sent_when_the_end_comes_by_itself(worker):
    """Rows are withheld while more may come; a shard may end with a message without records."""
    made, sent = worker
    made.prefetcher.missing = {f"image {i}" for i in range(4)}
    made.handle(records(0, 4))
    turn(made)
    assert rows_of(sent) == {}
    made.handle(records(4, 0, last=True))
    turn(made)
    assert rows_of(sent) == dict.fromkeys(range(4), "missing")


def test_messages_are_of_the_protocol(worker):
    made, sent = worker
    made.handle(records(0, 8, last=True))
    finish(made)
    assert sent
    for message in sent:
        messages.check_message(message)
