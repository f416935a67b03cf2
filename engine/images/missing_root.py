"""Telling images that are missing one by one from an image root that is no longer there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.images.image import ImagePaths, image_exists

MISSES_BEFORE_PROBE = 20
"""The number of missing images in a row after which the image root is probed."""

ROOT_LOST_SUFFIX = "is the image root mounted?"
"""The end of the reason of a pause whose cause is a lost image root."""


class ImageRootLost(Exception):
    """The image root is gone, or an image that was read from it earlier."""


class MissingImages:
    """The rows of missing images, withheld until it is known that the image root is there.

    An image that is read, or a probe, shows that. If the root is lost, the withheld rows are
    discarded, and their records are not failed.
    """

    def __init__(self, paths: ImagePaths, witness: str | None) -> None:
        self.paths = paths
        self.witness = witness
        """The image, as the input names it, that was read last; None if none was."""
        self.withheld: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Withhold the row of a missing image; return the rows that may be sent now.

        Raises `ImageRootLost`.
        """
        self.withheld.append(row)
        return self.settle() if len(self.withheld) >= MISSES_BEFORE_PROBE else []

    def on_image_read(self, image: str) -> list[dict[str, Any]]:
        """Remember an image that was read as the witness; return the rows that may be sent now."""
        self.witness = image
        return self.release()

    def settle(self) -> list[dict[str, Any]]:
        """Probe the image root if rows are withheld, and return them. Raises `ImageRootLost`."""
        if self.withheld:
            self.probe()
        return self.release()

    def release(self) -> list[dict[str, Any]]:
        rows, self.withheld = self.withheld, []
        return rows

    def discard(self) -> None:
        """Forget the withheld rows; their records are sent again by another attempt."""
        self.withheld = []

    def probe(self) -> None:
        """Raise `ImageRootLost` if the image root or the witness is gone."""
        if not Path(self.paths.root).is_dir():
            raise ImageRootLost(f"{self.paths.root} is not there: {ROOT_LOST_SUFFIX}")
        if self.witness is not None and not image_exists(self.paths, self.witness):
            raise ImageRootLost(
                f"{self.witness}, which was in {self.paths.root}, is gone: {ROOT_LOST_SUFFIX}"
            )
