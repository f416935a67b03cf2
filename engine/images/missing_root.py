"""Telling missing images from an image root that is no longer there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.images.image import ImagePaths, exists

STREAK = 20
"""Misses in a row after which the image root is probed."""

MOUNTED = "is the image root mounted?"
"""How the reason of such a pause ends."""

Row = dict[str, Any]


class RootLost(Exception):
    """The image root, or an image that had been there, is gone."""


class Misses:
    """Withholds rows for missing images until an image is found or the root is probed."""

    def __init__(self, paths: ImagePaths, witness: str | None) -> None:
        self.paths = paths
        self.witness = witness
        self.withheld: list[Row] = []

    def miss(self, row: Row) -> list[Row]:
        """Rows that may be sent now. Raises `RootLost`."""
        self.withheld.append(row)
        return self.settle() if len(self.withheld) >= STREAK else []

    def hit(self, image: str) -> list[Row]:
        self.witness = image
        return self.release()

    def settle(self) -> list[Row]:
        """Probes if anything is withheld. Raises `RootLost`."""
        if self.withheld:
            self.probe()
        return self.release()

    def release(self) -> list[Row]:
        rows, self.withheld = self.withheld, []
        return rows

    def forget(self) -> None:
        self.withheld = []

    def probe(self) -> None:
        if not Path(self.paths.root).is_dir():
            raise RootLost(f"{self.paths.root} is not there: {MOUNTED}")
        if self.witness is not None and not exists(self.paths, self.witness):
            raise RootLost(f"{self.witness}, which was in {self.paths.root}, is gone: {MOUNTED}")
