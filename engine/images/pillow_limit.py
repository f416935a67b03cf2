"""Pillow's own limit on the pixels of an image, lifted while this package opens one.

Pillow keeps the limit in a global, which belongs to the program that imports us: a training script,
for one. Beyond it, Pillow warns or raises; `engine.images.image` has a limit of its own, whose
error says what is wrong.
"""

from __future__ import annotations

import threading

from PIL import Image


class PillowLimitLifted:
    """A context manager that any number of threads may be inside at the same time.

    The first thread that enters lifts the limit, the last one that leaves puts it back.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.threads_inside = 0
        self.limit: int | None = None
        """The limit that was set before the first thread entered, in pixels; None is no limit."""

    def __enter__(self) -> None:
        with self.lock:
            if self.threads_inside == 0:
                self.limit = Image.MAX_IMAGE_PIXELS
                Image.MAX_IMAGE_PIXELS = None
            self.threads_inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.threads_inside -= 1
            if self.threads_inside == 0:
                Image.MAX_IMAGE_PIXELS = self.limit


PILLOW_LIMIT_LIFTED = PillowLimitLifted()
