"""The threads that make images ready ahead of the model: they read, decode and preprocess them."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from engine.captioners.base import LoadedModel
from engine.captioners.record_prompt import PromptRecord
from engine.images.image import (
    OUT_OF_FILES,
    ImagePaths,
    ImageProblem,
    Picture,
    open_image,
    open_image_bytes,
)
from engine.images.missing_root import ImageRootLost

NICENESS = 10
"""Increment of the niceness of decoding threads that share the CPU's cores with the model."""
IMAGE_TIMEOUT_SECONDS = 30.0
"""Seconds after which reading and decoding one image is given up."""


def lower_priority() -> None:
    """Let the model, which runs on the same cores, come before the calling decoding thread."""
    if sys.platform == "linux":  # elsewhere the niceness is that of the whole process
        os.nice(NICENESS)


class DecodingStuck(Exception):
    """Raised when at least half of the decoding threads are blocked in a read."""


class ImagePrefetcher:
    """The decoding threads of one worker, and the image files that were sent to it."""

    def __init__(
        self,
        paths: ImagePaths,
        threads: int,
        device: str,
        image_seconds: float = IMAGE_TIMEOUT_SECONDS,
    ) -> None:
        """Start without a captioner. `image_seconds` is how long one image is waited for."""
        self.paths = paths
        self.threads = threads
        self.image_seconds = image_seconds
        self.pool = ThreadPoolExecutor(
            threads, "decode", lower_priority if device == "cpu" else None
        )
        self.captioner: LoadedModel | None = None
        self.received_files: dict[int, bytes] = {}
        """Contents of image files that came with their records, by index, until decoded."""
        self.stuck_threads = 0
        """Number of threads that are blocked in a read."""
        self.cpu_seconds = 0.0
        """CPU seconds that the threads have used for the current captioner."""
        self.cpu_seconds_lock = threading.Lock()

    def set_captioner(self, captioner: LoadedModel | None) -> None:
        """Prepare images for this captioner from now on; None while no model is loaded."""
        self.captioner = captioner
        self.cpu_seconds = 0.0

    def add_file(self, i: int, data: bytes) -> None:
        """Keep the content of an image file that is decoded instead of the record's own path."""
        self.received_files[i] = data

    def forget_files(self) -> None:
        self.received_files.clear()

    def start(self, i: int, image: str, record: PromptRecord | None = None) -> Future[Any]:
        """Start to prepare the image of one record; `result` waits for the returned future.

        `record` is what its prompt depends on; None for an image of no record.
        """
        data = self.received_files.pop(i, None)
        return self.pool.submit(self.prepare_timed, image, data, record)

    def prepare_timed(self, image: str, data: bytes | None, record: PromptRecord | None) -> Any:
        began = time.thread_time()
        try:
            picture = self.open(image) if data is None else open_image_bytes(data)
            return self.prepare(picture, record)
        finally:
            with self.cpu_seconds_lock:
                self.cpu_seconds += time.thread_time() - began

    def open(self, image: str) -> Picture:
        return open_image(self.paths.resolve(image))

    def prepare(self, picture: Picture, record: PromptRecord | None) -> Any:
        if self.captioner is None:
            raise RuntimeError("no model is loaded")
        if record is None:
            return self.captioner.prepare(picture)
        return self.captioner.prepare_record(picture, record)

    def result(self, image: str, future: Future[Any]) -> Any:
        """Return the prepared image once it is ready.

        Raises `ImageProblem`, also when it takes too long; the thread that is blocked in the read
        is then left to itself. Raises `DecodingStuck` once too few threads are left, and
        `ImageRootLost` if too many files are open.
        """
        try:
            return future.result(timeout=self.image_seconds)
        except FutureTimeout as error:
            if future.done():
                raise ImageProblem("corrupt", f"{type(error).__name__}: {error}") from error
            self.stuck_threads += 1
            if self.stuck_threads * 2 >= self.threads:
                raise DecodingStuck(f"reading {image} does not end") from error
            raise ImageProblem(
                "timeout", f"not read and decoded within {self.image_seconds:.0f} s"
            ) from error
        except OSError as error:
            if error.errno in OUT_OF_FILES:
                raise ImageRootLost.out_of_files(error) from error
            raise
