"""Batches that are captioned side by side: a worker in this process, told what to do."""

from __future__ import annotations

import io
import threading
from concurrent.futures import Future

import pytest

from engine.captioners.base import Caption, Captioner
from engine.images.image import ImagePaths, ImageProblem
from engine.images.missing_root import Misses
from engine.protocol import messages
from engine.worker.batch_lanes import Lanes
from engine.worker.batch_tuner import Growth
from engine.worker.inflight import Work
from engine.worker.worker import Worker
from tests.support.waiting import PATIENCE

SIZE = 4


class Gated(Captioner):
    """Every batch waits until it is let go."""

    batch = SIZE
    side_by_side = True

    def __init__(self) -> None:
        self.gates: list[tuple[list, threading.Event]] = []
        self.waits = True
        self.room = 10**6
        self.refused: list[int] = []

    def prepare(self, picture):
        return picture

    def caption(self, inputs, records):
        if len(inputs) > self.room:
            self.refused.append(len(inputs))
            raise MemoryError("this many do not fit")
        gate = threading.Event()
        self.gates.append((list(inputs), gate))
        assert not self.waits or gate.wait(10)
        return [Caption(str(it), 1, "stop") for it in inputs]


class Woken:
    """Counts calls, and waits for them."""

    def __init__(self) -> None:
        self.calls = threading.Semaphore(0)

    def __call__(self) -> None:
        self.calls.release()

    def wait(self) -> None:
        assert self.calls.acquire(timeout=PATIENCE)


def inputs(first: int, count: int = SIZE):
    return [(i, f"image {i}") for i in range(first, first + count)]


@pytest.fixture
def woken():
    return Woken()


@pytest.fixture
def lanes(woken):
    lanes = Lanes(Gated(), 2, woken, "cpu")
    yield lanes
    for _, gate in lanes.captioner.gates:
        gate.set()
    lanes.close()


def open_gate(lanes: Lanes, number: int) -> None:
    while len(lanes.captioner.gates) <= number:
        threading.Event().wait(0.001)
    lanes.captioner.gates[number][1].set()


WORK = Work(1, 1, 0)


def warmed_up(lanes: Lanes, woken: Woken) -> None:
    lanes.begin(WORK, inputs(0), SIZE)
    open_gate(lanes, 0)
    woken.wait()
    assert len(list(lanes.ended())) == 1


def test_the_first_batch_goes_alone_and_others_side_by_side(lanes, woken):
    lanes.begin(WORK, inputs(0), SIZE)
    assert lanes.free == 0
    open_gate(lanes, 0)
    woken.wait()
    assert [batch.ready[0][0] for batch in lanes.ended()] == [0]
    assert lanes.free == 2
    lanes.begin(WORK, inputs(4), SIZE)
    lanes.begin(WORK, inputs(8), SIZE)
    assert lanes.free == 0
    open_gate(lanes, 1)
    open_gate(lanes, 2)
    woken.wait()
    woken.wait()
    assert sorted(batch.ready[0][0] for batch in lanes.ended()) == [4, 8]


def test_the_later_one_may_end_first(lanes, woken):
    warmed_up(lanes, woken)
    lanes.begin(WORK, inputs(4), SIZE)
    while len(lanes.captioner.gates) < 2:
        threading.Event().wait(0.001)
    lanes.begin(WORK, inputs(8), SIZE)
    open_gate(lanes, 2)
    woken.wait()
    (batch,) = lanes.ended()
    assert [caption.raw for caption in batch.captions.result()] == [
        f"image {i}" for i in range(8, 12)
    ]
    assert lanes.free == 1


def test_narrowed_it_waits_for_what_runs_and_goes_on_with_one(lanes, woken):
    warmed_up(lanes, woken)
    lanes.begin(WORK, inputs(4), SIZE)
    lanes.begin(WORK, inputs(8), SIZE)
    opener = threading.Timer(0.05, lambda: (open_gate(lanes, 1), open_gate(lanes, 2)))
    opener.start()
    lanes.narrow()
    assert all(batch.captions.done() for batch in lanes.running)
    woken.wait()
    woken.wait()
    assert len(list(lanes.ended())) == 2
    assert lanes.free == 1


@pytest.fixture
def worker(tmp_path):
    """A worker with `Gated` loaded, batches side by side, and the messages that it sent."""
    made = Worker(io.BytesIO(), io.BytesIO())
    captioner = Gated()
    made.captioner, made.batch = captioner, SIZE
    made.lanes = Lanes(captioner, 2, made.wake, "cpu")
    made.lanes.open = 2
    sent = []
    made.send = sent.append
    made.model = {"id": 1}

    class Images:
        threads, cpu_seconds = 1, 0.0
        late = 10**6
        missing = ()

        def begin(self, i, image):
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

        def forget(self):
            pass

    made.images, made.misses = Images(), Misses(ImagePaths(str(tmp_path)), None)
    yield made, sent
    for _, gate in captioner.gates:
        gate.set()
    made.lanes.close()


def records(first: int, count: int, last: bool = False):
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
    found = {}
    for message in sent:
        if message["type"] == "rows":
            for row in message["rows"]:
                assert row["i"] not in found
                found[row["i"]] = row.get("raw", row.get("error"))
    return found


def turn(made: Worker) -> None:
    """What `run` does, until nothing can be done."""
    while made.has_batch():
        made.step(made.work)


def finish(made: Worker) -> None:
    """Lets every batch go."""
    made.captioner.waits = False
    for _, gate in made.captioner.gates:
        gate.set()
    while made.work.held or made.lanes.running:
        turn(made)
        if made.lanes.running:
            made.handle(made.inbox.get(timeout=PATIENCE))


@pytest.fixture
def waiting(worker):
    """The first batch is captioned; the second waits for its last image."""
    made, sent = worker
    made.images.late = 5
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
    late = next(future for i, _, future in made.work.decoding if i == 5)
    late.set_result("image 5")
    assert made.inbox.get(timeout=PATIENCE) == {"type": "wake"}
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
    made.batch = 16
    made.handle(records(0, 40, last=True))
    finish(made)
    sizes = [len(images) for images, _ in made.captioner.gates]
    assert sum(sizes) == 40
    assert sizes[0] == 16
    assert sizes[-1] <= 4


def test_images_that_fail_do_not_keep_the_batch_from_growing(worker):
    made, _ = worker
    made.growth = Growth(SIZE)
    made.images.missing = {f"image {i}" for i in range(0, 400, SIZE)}
    made.handle(records(0, 100, last=True))
    finish(made)
    assert made.batch > SIZE or made.growth is None


def test_rows_of_a_cancelled_attempt_are_told_as_such(worker):
    made, sent = worker
    made.handle(records(0, 8))
    turn(made)
    made.handle({"type": "cancel"})
    assert not made.has_batch()
    made.handle(records(0, 4, last=True) | {"attempt": 2})
    open_gate(made.lanes, 0)
    open_gate(made.lanes, 1)
    made.inbox.get(timeout=PATIENCE)
    made.inbox.get(timeout=PATIENCE)
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
    made.captioner.room, made.captioner.waits = 3, False
    made.handle(records(0, 8, last=True))
    finish(made)
    assert rows_of(sent) == {i: f"image {i}" for i in range(8)}
    assert made.captioner.refused[:2] == [4, 4]
    assert [message["size"] for message in sent if message["type"] == "batch"] == [2]
    assert made.lanes.most == 1


def test_rows_of_missing_images_are_sent_when_the_end_is_told_by_itself(worker):
    """They are withheld while more may come; a shard may end with a message without records."""
    made, sent = worker
    made.images.missing = {f"image {i}" for i in range(4)}
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
        messages.check(message)
