"""Sending images along with their records, to workers that do not see the image root.

The supervisor's machine reads the files, in threads; a bounded number of bytes is under way to each
worker. An image that cannot be read fails here and never travels. The worker opens what it gets
with the same checks as a file.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from engine.images.image import ImagePaths, ImageProblem, describe_error, read_image_bytes
from engine.images.missing_root import ROOT_LOST_SUFFIX, ImageRootLost, MissingImages
from engine.protocol.messages import Message, encode

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
    """The records of one message `records` that were not sent to the worker yet."""

    message: Message
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

    def __init__(self, readers: FileReaders) -> None:
        self.readers = readers
        self.missing_images: MissingImages | None = None
        """The image root; None before the message `start`."""
        self.shipments: deque[Shipment] = deque()
        self.unanswered: dict[int, int] = {}
        """Bytes of each image sent, by index, until the worker sends a row for it."""
        self.attempt: int | None = None
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

    def intercept(self, message: Message) -> bool:
        """Look at a message to the worker, and keep it if it has records.

        Return True if it was kept: `step` then sends its records together with their images. Other
        messages are for the caller to send.
        """
        match message["type"]:
            case "start":
                images = message["images"]
                path_map = tuple((old, new) for old, new in images["path_map"])
                paths = ImagePaths(images["root"], path_map, images["allow_outside"])
                self.missing_images = MissingImages(paths, images["witness"])
            case "forget_witness" if self.missing_images is not None:
                self.missing_images.witness = None
            case "cancel":
                self.clear()
            case "records":
                if message["attempt"] != self.attempt:
                    self.clear()
                self.attempt = message["attempt"]
                self.shipments.append(Shipment(message, deque(message["records"])))
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

    def on_worker_message(self, message: Message) -> None:
        """Look at a message from the worker: images that have rows now make room for others."""
        if message["type"] == "rows" and message["attempt"] == self.attempt:
            for row in message["rows"]:
                i = row.get("i") if isinstance(row, dict) else None
                if isinstance(i, int):
                    self.unanswered.pop(i, None)

    @property
    def full(self) -> bool:
        """True if no more may be sent until the worker has sent rows."""
        return sum(self.unanswered.values()) >= MAX_UNANSWERED_BYTES

    def step(self) -> tuple[bytes, list[Message]]:
        """Return the bytes to send to the worker, and messages to the supervisor in its name."""
        to_supervisor: list[Message] = []
        to_worker = bytearray()
        while self.shipments and self.missing_images is not None:
            shipment = self.shipments[0]
            try:
                rows, sent = self.advance(shipment, self.missing_images, to_worker)
                if shipment.finished and shipment.message["last"]:
                    rows += self.missing_images.settle()
            except ImageRootLost as error:
                text = str(error)
                to_supervisor.append({"type": "root_lost", "attempt": self.attempt, "text": text})
                self.clear()
                break
            if rows:
                to_supervisor.append(rows_message(shipment.message, rows))
            # If it is full, no more records come until there is room again: then the worker must
            # not wait for a full batch.
            complete = shipment.message["last"] if shipment.finished else self.full
            if sent or (complete and not self.sent_complete):
                to_worker += encode(shipment.message | {"records": sent, "last": complete})
                self.sent_complete = complete
            if not shipment.finished:
                break
            self.shipments.popleft()
        return bytes(to_worker), to_supervisor

    def advance(
        self, shipment: Shipment, missing_images: MissingImages, to_worker: bytearray
    ) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
        """Append images that were read, up to the first that is still being read, to `to_worker`.

        Return the rows of images that failed, and the (index, image) of those that were appended.
        Raises `ImageRootLost`.
        """
        rows: list[dict[str, Any]] = []
        sent: list[tuple[int, str]] = []
        self.read_ahead(shipment, missing_images.paths)
        while shipment.reading and not self.full:
            i, image, future = shipment.reading[0]
            try:
                data = self.result(image, future)
            except ImageProblem as problem:
                row = {"i": i, "error": problem.kind, "detail": problem.detail}
                rows += missing_images.add(row) if problem.kind == "missing" else [row]
            else:
                if data is None:
                    break
                rows += missing_images.on_image_read(image)
                to_worker += encode({"type": "image", "i": i, "bytes": len(data)})
                to_worker += data
                self.unanswered[i] = len(data)
                sent.append((i, image))
            shipment.reading.popleft()
            self.head_since = None
            self.read_ahead(shipment, missing_images.paths)
        return rows, sent

    def read_ahead(self, shipment: Shipment, paths: ImagePaths) -> None:
        """Start to read images until `READ_AHEAD` are being read."""
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

        Raises `ImageProblem`, and `ImageRootLost` if too many reads do not end.
        """
        now = time.monotonic()
        if future.done():
            try:
                return future.result()
            except ImageProblem:
                raise
            except Exception as error:
                raise ImageProblem("unreadable", describe_error(error)) from error
        self.head_since = self.head_since or now
        if now - self.head_since < READ_SECONDS:
            return None
        self.stuck_reads += 1
        # A read that can still be cancelled has not begun: every thread is blocked in another one.
        if future.cancel() or self.stuck_reads * 2 >= READ_AHEAD:
            raise ImageRootLost(f"reading {image} does not end: {ROOT_LOST_SUFFIX}")
        raise ImageProblem("timeout", f"not read within {READ_SECONDS:.0f} s")


def rows_message(message: Message, rows: Iterable[dict[str, Any]]) -> Message:
    """Return a message with rows for the attempt of a message `records`."""
    return {
        "type": "rows",
        "task": message["task"],
        "attempt": message["attempt"],
        "rows": list(rows),
    }
