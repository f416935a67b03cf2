"""Sending images along with their records, to workers that do not see the image root.

The supervisor's machine reads the files, in threads; a bounded number of bytes is under way to each
worker. An image that cannot be read fails here and never travels. The worker opens what it gets
with the same checks as a file.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from msgspec.structs import replace

from engine.images.image import (
    OUT_OF_FILES,
    ImagePaths,
    ImageProblem,
    describe_error,
    read_image_bytes,
)
from engine.images.missing_root import ImageRootLost, MissingImages
from engine.protocol.caption_row import ErrorRow
from engine.protocol.framing import encode
from engine.protocol.messages import (
    Cancel,
    ForgetWitness,
    FromWorker,
    ImageFile,
    Load,
    Records,
    RootLost,
    Rows,
    Start,
    ToWorker,
)

READER_THREADS = 16
"""Number of threads that read image files, for all workers together."""
READ_AHEAD = 16
"""Most images of one worker that are read at a time."""
MAX_UNANSWERED_BYTES = 64 * 2**20
"""Bytes of images sent to one worker without rows for them, above which it gets no more."""
READ_SECONDS = 30.0
"""Seconds after which reading one image is given up."""


class FileReaders:
    """Threads that read files.

    They are daemons: one that is blocked in a read must not hold up the end of the process.
    """

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[tuple[Future[bytes], str]] = queue.SimpleQueue()
        for _ in range(READER_THREADS):
            threading.Thread(target=self.read_files, daemon=True, name="images").start()

    def read(self, path: str) -> Future[bytes]:
        """Start to read a file. The future ends with its bytes, or with the error of the read."""
        future: Future[bytes] = Future()
        self.queue.put((future, path))
        return future

    def read_files(self) -> None:
        while True:
            future, path = self.queue.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(read_image_bytes(path))
            except Exception as error:
                future.set_exception(error)


@dataclass(slots=True)
class Shipment:
    """The records of one message that were not sent to the worker yet."""

    message: Records
    waiting: deque[tuple[int, str]]
    """(index, image) of records whose image is not being read yet."""
    reading: deque[tuple[int, str, Future[bytes]]] = field(default_factory=deque)
    """(index, image, content) of records whose image is being or has been read."""

    @property
    def finished(self) -> bool:
        """True if every record was sent or has failed."""
        return not self.waiting and not self.reading


class ImageShipper:
    """The images on their way from the supervisor to one worker."""

    def __init__(
        self, readers: FileReaders, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.readers = readers
        self.monotonic = monotonic
        self.missing_images: MissingImages | None = None
        """The image root; None before the message `Start`."""
        self.confined = False
        """True if the worker's model may get only images that really lie in the image root."""
        self.shipments: deque[Shipment] = deque()
        self.unanswered: dict[int, int] = {}
        """Bytes of each image sent, by index, until the worker sends a row for it."""
        self.attempt: tuple[int, int] | None = None
        """Task and number of the current attempt; None before the first."""
        self.sent_complete = True
        """True if the worker was told last that no more records come for now."""
        self.head_since: float | None = None
        """Monotonic time since which the first image that is read is waited for."""
        self.stuck_reads = 0
        """Number of reads in this attempt that were given up."""

    @property
    def busy(self) -> bool:
        """True if there are records to send."""
        return bool(self.shipments)

    def intercept(self, message: ToWorker) -> bool:
        """Look at a message to the worker, and keep it if it has records.

        Return True if it was kept: `step` then sends its records together with their images. Other
        messages are for the caller to send.
        """
        match message:
            case Start():
                self.missing_images = MissingImages.of(message.images)
            case Load():
                self.confined = message.confined
            case ForgetWitness() if self.missing_images is not None:
                self.missing_images.witness = None
            case Cancel():
                self.clear()
            case Records():
                if (message.task, message.attempt) != self.attempt:
                    self.clear()
                self.attempt = (message.task, message.attempt)
                if message.probe:
                    return False
                self.shipments.append(Shipment(message, deque(message.records)))
                return True
        return False

    def clear(self) -> None:
        """Forget the records of the current attempt."""
        for shipment in self.shipments:
            for _, _, future in shipment.reading:
                future.cancel()
        self.shipments.clear()
        self.unanswered.clear()
        self.head_since, self.stuck_reads, self.sent_complete = None, 0, True
        if self.missing_images is not None:
            self.missing_images.discard()

    def on_worker_message(self, message: FromWorker) -> None:
        """Look at a message from the worker: images that have rows now make room for others."""
        if isinstance(message, Rows) and (message.task, message.attempt) == self.attempt:
            for row in message.rows:
                self.unanswered.pop(row.i, None)

    @property
    def full(self) -> bool:
        """True if no more may be sent until the worker has sent rows."""
        return sum(self.unanswered.values()) >= MAX_UNANSWERED_BYTES

    def step(self) -> tuple[bytes, list[FromWorker]]:
        """Return the bytes to send to the worker, and messages to the supervisor in its name."""
        to_supervisor: list[FromWorker] = []
        to_worker = bytearray()
        while self.shipments and self.missing_images is not None:
            shipment = self.shipments[0]
            message = shipment.message
            task, attempt = message.task, message.attempt
            try:
                rows, sent = self.advance(shipment, self.missing_images, to_worker)
                if shipment.finished and message.last:
                    rows += self.missing_images.settle()
            except ImageRootLost as error:
                to_supervisor.append(RootLost(task=task, attempt=attempt, text=str(error)))
                self.clear()
                break
            if rows:
                to_supervisor.append(Rows(task=task, attempt=attempt, rows=tuple(rows)))
            # If it is full, no more records come until there is room again: then the worker must
            # not wait for a full batch.
            complete = message.last if shipment.finished else self.full
            if sent or (complete and not self.sent_complete):
                indexes = {i for i, _ in sent}
                texts = tuple(it for it in message.texts if it[0] in indexes)
                part = replace(message, records=tuple(sent), texts=texts, last=complete)
                to_worker += encode(part)
                self.sent_complete = complete
            if not shipment.finished:
                break
            self.shipments.popleft()
        return bytes(to_worker), to_supervisor

    def advance(
        self, shipment: Shipment, missing_images: MissingImages, to_worker: bytearray
    ) -> tuple[list[ErrorRow], list[tuple[int, str]]]:
        """Append images that were read, up to the first that is still being read, to `to_worker`.

        Return the rows of images that failed, and the (index, image) of those that were appended.
        Raises `ImageRootLost`.
        """
        rows: list[ErrorRow] = []
        sent: list[tuple[int, str]] = []
        self.read_ahead(shipment, missing_images.paths)
        while shipment.reading and not self.full:
            i, image, future = shipment.reading[0]
            try:
                data = self.result(image, future)
            except ImageProblem as problem:
                rows += missing_images.on_problem(i, image, problem)
            else:
                if data is None:
                    break
                rows += missing_images.on_image_read(image)
                to_worker += encode(ImageFile(i=i, bytes=len(data)))
                to_worker += data
                self.unanswered[i] = len(data)
                sent.append((i, image))
            shipment.reading.popleft()
            self.head_since = None
            self.read_ahead(shipment, missing_images.paths)
        return rows, sent

    def read_ahead(self, shipment: Shipment, paths: ImagePaths) -> None:
        """Start to read images until `READ_AHEAD` are being read."""
        paths = dataclasses.replace(paths, confined=self.confined)
        while shipment.waiting and len(shipment.reading) < READ_AHEAD and not self.full:
            i, image = shipment.waiting.popleft()
            try:
                future = self.readers.read(paths.resolve(image))
            except ImageProblem as problem:
                future = Future()
                future.set_exception(problem)
            shipment.reading.append((i, image, future))

    def result(self, image: str, future: Future[bytes]) -> bytes | None:
        """Return the content of an image, or None while it is being read.

        Raises `ImageProblem`, and `ImageRootLost` if too many reads do not end or files are open.
        """
        now = self.monotonic()
        if future.done():
            try:
                return future.result()
            except ImageProblem:
                raise
            except Exception as error:
                if isinstance(error, OSError) and error.errno in OUT_OF_FILES:
                    raise ImageRootLost.out_of_files(error) from error
                raise ImageProblem("unreadable", describe_error(error)) from error
        self.head_since = now if self.head_since is None else self.head_since
        if now - self.head_since < READ_SECONDS:
            return None
        self.stuck_reads += 1
        # A read that can still be cancelled has not begun: every thread is blocked in another one.
        if future.cancel() or self.stuck_reads * 2 >= READ_AHEAD:
            raise ImageRootLost(f"reading {image} does not end")
        raise ImageProblem("timeout", f"not read within {READ_SECONDS:.0f} s")
