"""Images made ready ahead of the model: read, decoded and preprocessed in threads."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from engine.captioners.base import Captioner
from engine.images.image import ImagePaths, ImageProblem, Picture, open_image, picture_of

NICENESS = 10
IMAGE_SECONDS = 30.0
"""After which reading and decoding one image is given up."""


def yield_to_model() -> None:
    """In a decoding thread: the model, on the same cores, comes first."""
    if sys.platform == "linux":  # where each thread has a niceness of its own
        os.nice(NICENESS)


class Stuck(Exception):
    """Half of the threads hang in a read."""


class Preparing:
    def __init__(self, paths: ImagePaths, threads: int, device: str) -> None:
        self.paths = paths
        self.threads = threads
        self.pool = ThreadPoolExecutor(
            threads, "decode", yield_to_model if device == "cpu" else None
        )
        self.captioner: Captioner | None = None
        self.shipped: dict[int, bytes] = {}
        """Files that came with their records, until they are decoded."""
        self.stuck = 0
        """Threads that hang in a read."""
        self.cpu_seconds = 0.0
        """Used by the threads for this captioner."""
        self.counting = threading.Lock()

    def serve(self, captioner: Captioner | None) -> None:
        self.captioner = captioner
        self.cpu_seconds = 0.0

    def ship(self, i: int, data: bytes) -> None:
        self.shipped[i] = data

    def forget(self) -> None:
        self.shipped.clear()

    def begin(self, i: int, image: str) -> Future[Any]:
        return self.pool.submit(self.timed, image, self.shipped.pop(i, None))

    def timed(self, image: str, data: bytes | None) -> Any:
        began = time.thread_time()
        try:
            return self.prepare(image) if data is None else self.prepare_picture(picture_of(data))
        finally:
            with self.counting:
                self.cpu_seconds += time.thread_time() - began

    def prepare(self, image: str) -> Any:
        return self.prepare_picture(open_image(self.paths.resolve(image)))

    def prepare_picture(self, picture: Picture) -> Any:
        if self.captioner is None:
            raise RuntimeError("no model is loaded")
        return self.captioner.prepare(picture)

    def result(self, image: str, future: Future[Any]) -> Any:
        """Raises `ImageProblem`, `Stuck`; a thread stuck in a read is left behind."""
        try:
            return future.result(timeout=IMAGE_SECONDS)
        except FutureTimeout as error:
            if future.done():
                raise ImageProblem("corrupt", f"{type(error).__name__}: {error}") from error
            self.stuck += 1
            if self.stuck * 2 >= self.threads:
                raise Stuck(f"reading {image} does not end") from error
            raise ImageProblem(
                "timeout", f"not read and decoded within {IMAGE_SECONDS:.0f} s"
            ) from error
