"""The image paths of files, counted: which are new, and which lead to an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.images.image import ImagePaths, image_exists

EXAMPLES = 3
"""Paths that are named of those where there is no file."""


@dataclass(slots=True)
class PathCounts:
    """What became of the image paths of files."""

    changed: int = 0
    """The number of paths that are new."""
    images: int = 0
    """The number of images that were looked for."""
    missing: int = 0
    """The number of these that do not exist."""
    examples: list[str] = field(default_factory=list)
    """The first of these."""

    def look_for(self, paths: ImagePaths, images: Sequence[str]) -> None:
        """Look for the files of images, or the members of tars."""
        missing = [image for image in images if not image_exists(paths, image)]
        self.add(PathCounts(0, len(images), len(missing), missing[:EXAMPLES]))

    def add(self, other: PathCounts) -> None:
        """Add the counts of another file."""
        self.changed += other.changed
        self.images += other.images
        self.missing += other.missing
        self.examples += other.examples[: EXAMPLES - len(self.examples)]

    def check_text(self) -> str:
        """Return how many of the images exist, and the first that do not, as a sentence."""
        present = self.images - self.missing
        share = 100 * present / self.images if self.images else 0
        such = f"; not there: {', '.join(self.examples)}" if self.examples else ""
        more = ", ..." if self.missing > len(self.examples) else ""
        return f"{present:,} of {self.images:,} images exist ({share:.4g} %){such}{more}"
