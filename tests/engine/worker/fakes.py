"""Stand-ins for what the loops of a worker use: images, models, and the wire to the supervisor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from copy import copy
from typing import Any, TypeVar

from engine.captioners.base import Caption, Captioner, CheckpointError, RemoteCaptioner
from engine.captioners.record_prompt import PromptRecord
from engine.captioners.settings import Settings
from engine.images.image import ImagePaths, ImageProblem, Picture, ProblemKind
from engine.protocol.caption_row import CaptionRow
from engine.protocol.framing import encode, parse_line
from engine.protocol.messages import FromWorker, Records, Rows, from_worker
from engine.worker.image_prefetch import ImagePrefetcher
from tests.support.waiting import TIMEOUT_SECONDS

SIZE = 4
"""Images of a batch."""
M = TypeVar("M")


class Wire(list[FromWorker]):
    """The messages that were sent to the supervisor, each as it arrives there."""

    def send(self, message: FromWorker) -> None:
        self.append(from_worker(parse_line(encode(message))))

    def of(self, kind: type[M]) -> list[M]:
        """Return the messages of a class, in order."""
        return [message for message in self if isinstance(message, kind)]

    def kinds(self) -> list[str]:
        """Return the names of the messages' classes, in order."""
        return [type(message).__name__ for message in self]

    def rows(self) -> dict[int, str]:
        """Return caption or error by index. No record may have two rows."""
        rows: dict[int, str] = {}
        for message in self.of(Rows):
            for row in message.rows:
                assert row.i not in rows
                rows[row.i] = row.raw if isinstance(row, CaptionRow) else row.error
        return rows


class FakePrefetcher(ImagePrefetcher):
    """Images that are decoded at once, but for those that are late or have a problem."""

    def __init__(self) -> None:
        super().__init__(ImagePaths(""), threads=1, device="cuda")
        self.late: Collection[int] = ()
        """Indexes of the images that are decoded only when they are waited for."""
        self.problems: dict[str, ProblemKind] = {}
        """The kind of what is wrong with an image, by image."""
        self.futures: dict[int, Future[Any]] = {}
        """The future of each image that was started last, by index."""
        self.asked: dict[int, PromptRecord | None] = {}
        """What the prompt of each record depends on, by index."""
        self.on_wait: Callable[[], None] = lambda: None
        """Called when an image is waited for."""

    def start(self, i: int, image: str, record: PromptRecord | None = None) -> Future[Any]:
        future: Future[Any] = Future()
        self.futures[i] = future
        self.asked[i] = record
        if i not in self.late:
            future.set_result(image)
        return future

    def result(self, image: str, future: Future[Any]) -> Any:
        if image in self.problems:
            raise ImageProblem(self.problems[image], image)
        if not future.done():
            self.on_wait()
            future.set_result(image)
        return future.result()


class WakeCounter:
    """A `wake` that counts its calls, so that a test can wait for the next one."""

    def __init__(self) -> None:
        self.calls = threading.Semaphore(0)

    def __call__(self) -> None:
        self.calls.release()

    def wait(self) -> None:
        assert self.calls.acquire(timeout=TIMEOUT_SECONDS)


class GatedCaptioner(Captioner):
    """A captioner whose batches each wait at a gate until the test opens it."""

    batch = SIZE
    concurrent_batches = True

    def __init__(self) -> None:
        self.gates: list[tuple[list[Any], threading.Event]] = []
        """(inputs, gate) of each batch in the order in which they began."""
        self.gated = True
        """False if batches pass without a gate."""
        self.largest = 10**6
        """Number of images that fit into memory."""
        self.refused: list[int] = []
        """Sizes of batches that did not fit."""
        self.seed = 0

    def prepare(self, picture: Picture) -> Any:
        return picture

    def caption(self, inputs: Sequence[Any], record_ids: Sequence[int]) -> list[Caption]:
        if len(inputs) > self.largest:
            self.refused.append(len(inputs))
            raise MemoryError("this many do not fit")
        gate = threading.Event()
        self.gates.append((list(inputs), gate))
        assert not self.gated or gate.wait(TIMEOUT_SECONDS)
        seed = f" by {self.seed}" if self.seed else ""
        return [Caption(f"{image}{seed}", 1, "stop") for image in inputs]

    def with_settings(self, settings: Settings) -> GatedCaptioner:
        if not settings.seed:
            raise CheckpointError("this seed is taken")
        other = copy(self)
        other.seed = settings.seed
        return other

    def open_gate(self, number: int) -> None:
        """Wait until batch `number`, counted from 0, has begun, and let it go."""
        while len(self.gates) <= number:
            threading.Event().wait(0.001)
        self.gates[number][1].set()

    def open_all(self) -> None:
        """Let every batch go, those to come as well."""
        self.gated = False
        for _, gate in self.gates:
            gate.set()


class FakeServerCaptioner(RemoteCaptioner):
    """The client of a server that replies when the test says so."""

    batch = SIZE

    def __init__(self) -> None:
        self.requests: list[tuple[int, bool, Future[Caption]]] = []
        """(record id, isolated, reply) of each request in the order in which they were sent."""
        self.closed = False

    def prepare(self, picture: Picture) -> Any:
        return picture

    def submit(self, inputs: Any, record_id: int, isolated: bool = False) -> Future[Caption]:
        reply: Future[Caption] = Future()
        self.requests.append((record_id, isolated, reply))
        return reply

    def reply(self, record_id: int, outcome: str | Exception) -> None:
        """Let the last request for a record end with a caption or an error."""
        future = next(reply for it, _, reply in reversed(self.requests) if it == record_id)
        self.end_request()
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(Caption(outcome, 1, "stop"))

    def end_request(self) -> None:
        """Count a request that ended; without a reply to it, the captioner asks again."""
        self.ended_requests += 1

    def close(self) -> None:
        self.closed = True


def records(
    first: int,
    count: int,
    *,
    attempt: int = 1,
    task: int = 1,
    first_id: int = 0,
    last: bool = False,
    alone: bool = False,
    probe: bool = False,
) -> Records:
    """Return the message with so many records from index `first` on.

    `first_id` is the record id of index 0.
    """
    pairs = tuple((i, f"image {i}") for i in range(first, first + count))
    return Records(
        task=task,
        attempt=attempt,
        first=first_id,
        records=pairs,
        last=last,
        alone=alone,
        probe=probe,
    )
