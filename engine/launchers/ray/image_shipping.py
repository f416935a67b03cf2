"""Sending images along with their records, to workers that do not see the images' folder.

The supervisor's machine reads the files, in threads; of each worker a bounded number of bytes is
under way. What cannot be read fails here and never travels. The worker opens what it gets with the
same checks as a file.
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

from engine.images.image import ImagePaths, ImageProblem, read_file, reason
from engine.images.missing_root import MOUNTED, Misses, RootLost
from engine.protocol.messages import Message, encode

THREADS = 16
AHEAD = 16
"""Images of one worker that are read at a time."""
UNDER_WAY_BYTES = 64 * 2**20
"""Sent to one worker and not answered."""
READ_SECONDS = 30.0


class Readers:
    """Threads that read files. Daemons: one stuck in a read must not hold up the end."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[tuple[Future[bytes], str]] = queue.SimpleQueue()
        for _ in range(THREADS):
            threading.Thread(target=self.work, daemon=True, name="images").start()

    def read(self, path: str) -> Future[bytes]:
        future: Future[bytes] = Future()
        self.jobs.put((future, path))
        return future

    def work(self) -> None:
        while True:
            future, path = self.jobs.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(read_file(path))
            except Exception as error:
                future.set_exception(error)


@dataclass(slots=True)
class Batch:
    """The records of one message."""

    message: Message
    waiting: deque[tuple[int, str]]
    reading: deque[tuple[int, str, Future[bytes]]] = field(default_factory=deque)

    @property
    def read(self) -> bool:
        return not self.waiting and not self.reading


class Shipper:
    """Stands between the supervisor and one worker."""

    def __init__(self, readers: Readers) -> None:
        self.readers = readers
        self.misses: Misses | None = None
        self.batches: deque[Batch] = deque()
        self.under_way: dict[int, int] = {}
        """Bytes by record."""
        self.attempt: int | None = None
        self.told_complete = True
        self.head_since: float | None = None
        """Since when the first image that is read is waited for."""
        self.stuck = 0

    @property
    def busy(self) -> bool:
        return bool(self.batches)

    def takes(self, message: Message) -> bool:
        """Whether this message goes on later, with its images; notes what the others say."""
        match message["type"]:
            case "start":
                images = message["images"]
                path_map = tuple((old, new) for old, new in images["path_map"])
                paths = ImagePaths(images["root"], path_map, images["allow_outside"])
                self.misses = Misses(paths, images["witness"])
            case "forget_witness" if self.misses is not None:
                self.misses.witness = None
            case "cancel":
                self.clear()
            case "records":
                if message["attempt"] != self.attempt:
                    self.clear()
                self.attempt = message["attempt"]
                self.batches.append(Batch(message, deque(message["records"])))
                return True
        return False

    def clear(self) -> None:
        for batch in self.batches:
            for _, _, future in batch.reading:
                future.cancel()
        self.batches.clear()
        self.under_way.clear()
        self.head_since, self.stuck, self.told_complete = None, 0, True
        if self.misses is not None:
            self.misses.forget()

    def answered(self, message: Message) -> None:
        """A message of the worker: what it has answered makes room."""
        if message["type"] == "rows" and message["attempt"] == self.attempt:
            for row in message["rows"]:
                i = row.get("i") if isinstance(row, dict) else None
                if isinstance(i, int):
                    self.under_way.pop(i, None)

    @property
    def full(self) -> bool:
        return sum(self.under_way.values()) >= UNDER_WAY_BYTES

    def step(self) -> tuple[bytes, list[Message]]:
        """What can be sent to the worker now, and what is said to the supervisor in its place."""
        said: list[Message] = []
        out = bytearray()
        while self.batches and self.misses is not None:
            batch = self.batches[0]
            try:
                rows, sent = self.advance(batch, self.misses, out)
                if batch.read and batch.message["last"]:
                    rows += self.misses.settle()
            except RootLost as lost:
                said.append({"type": "root_lost", "attempt": self.attempt, "text": str(lost)})
                self.clear()
                break
            if rows:
                said.append(rows_message(batch.message, rows))
            complete = batch.message["last"] if batch.read else self.full
            if sent or (complete and not self.told_complete):
                # Until there is room again no more will come: it must not wait for a full batch.
                out += encode(batch.message | {"records": sent, "last": complete})
                self.told_complete = complete
            if not batch.read:
                break
            self.batches.popleft()
        return bytes(out), said

    def advance(
        self, batch: Batch, misses: Misses, out: bytearray
    ) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
        """Rows of what failed, and records whose images were added. Raises `RootLost`."""
        rows: list[dict[str, Any]] = []
        sent: list[tuple[int, str]] = []
        self.read_ahead(batch, misses.paths)
        while batch.reading and not self.full:
            i, image, future = batch.reading[0]
            try:
                data = self.result(image, future)
            except ImageProblem as problem:
                row = {"i": i, "error": problem.kind, "detail": problem.detail}
                rows += misses.miss(row) if problem.kind == "missing" else [row]
            else:
                if data is None:
                    break
                rows += misses.hit(image)
                out += encode({"type": "image", "i": i, "bytes": len(data)})
                out += data
                self.under_way[i] = len(data)
                sent.append((i, image))
            batch.reading.popleft()
            self.head_since = None
            self.read_ahead(batch, misses.paths)
        return rows, sent

    def read_ahead(self, batch: Batch, paths: ImagePaths) -> None:
        while batch.waiting and len(batch.reading) < AHEAD and not self.full:
            i, image = batch.waiting.popleft()
            try:
                future = self.readers.read(paths.resolve(image))
            except ImageProblem as problem:
                future = Future()
                future.set_exception(problem)
            batch.reading.append((i, image, future))

    def result(self, image: str, future: Future[bytes]) -> bytes | None:
        """None while it is being read. Raises `ImageProblem`, `RootLost`."""
        now = time.monotonic()
        if future.done():
            try:
                return future.result()
            except ImageProblem:
                raise
            except Exception as error:
                raise ImageProblem("unreadable", reason(error)) from error
        self.head_since = self.head_since or now
        if now - self.head_since < READ_SECONDS:
            return None
        self.stuck += 1
        if future.cancel() or self.stuck * 2 >= AHEAD:
            raise RootLost(f"reading {image} does not end: {MOUNTED}")
        raise ImageProblem("timeout", f"not read within {READ_SECONDS:.0f} s")


def rows_message(message: Message, rows: Iterable[dict[str, Any]]) -> Message:
    return {
        "type": "rows",
        "task": message["task"],
        "attempt": message["attempt"],
        "rows": list(rows),
    }
