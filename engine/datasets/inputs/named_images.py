"""The images that a table names, to count those beside it that it does not name."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable


class NamedImages:
    """The paths of images, by hashes of 8 bytes. All are added, then sorted, then looked for."""

    def __init__(self) -> None:
        self.hashes = array("q")

    def add(self, images: Iterable[str]) -> None:
        self.hashes.extend(hash(os.path.normpath(image)) for image in images)

    def sort(self) -> None:
        """Prepare the hashes for `in`."""
        import numpy as np

        hashes = np.sort(np.frombuffer(self.hashes, np.int64))
        self.hashes = array("q", hashes.tobytes())

    def __contains__(self, image: str) -> bool:
        key = hash(os.path.normpath(image))
        place = bisect_left(self.hashes, key)
        return place < len(self.hashes) and self.hashes[place] == key
