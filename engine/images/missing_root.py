"""Telling images that are missing one by one from an image root that is no longer there."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from engine.images.image import ImagePaths, ImageProblem, image_exists, read_image_bytes
from engine.protocol.caption_row import ErrorRow
from engine.protocol.messages import ImageAccess

MISSES_BEFORE_PROBE = 20
"""The number of missing images in a row after which the image root is probed."""


class ImageRootLost(Exception):
    """No image can be read here: the image root is gone, or too many files are open."""

    def __init__(self, what: str, advice: str = "is the image root mounted?") -> None:
        """`what` shows that no image can be read, as the first half of a text for people."""
        super().__init__(f"{what}: {advice}")

    @classmethod
    def out_of_files(cls, error: OSError) -> Self:
        """Return the exception for an error of `OUT_OF_FILES`."""
        return cls(f"no image can be read ({error.strerror})", "raise 'ulimit -n'")


class MissingImages:
    """The rows of missing images, withheld until it is known that the image root is there.

    An image that is read, or a probe, shows that. If the root is lost, the withheld rows are
    discarded, and their records are not failed.
    """

    def __init__(self, paths: ImagePaths, witness: str | None) -> None:
        self.paths = paths
        self.witness = witness
        """The image, as the input names it, that was read last; None if none was."""
        self.withheld: list[tuple[str, ErrorRow]] = []
        """The images, as the input names them, with their rows."""

    @classmethod
    def of(cls, images: ImageAccess) -> MissingImages:
        """Return an object that probes where the message says that the images are."""
        return cls(ImagePaths(images.root, images.path_map, images.allow_outside), images.witness)

    def on_problem(self, i: int, image: str, problem: ImageProblem) -> list[ErrorRow]:
        """Return the rows that may be sent now that the image of record `i` has failed.

        The row of a missing image is withheld. Raises `ImageRootLost`.
        """
        if problem.kind != "missing":
            return [problem.row(i)]
        self.withheld.append((image, problem.row(i)))
        return self.settle() if len(self.withheld) >= MISSES_BEFORE_PROBE else []

    def on_image_read(self, image: str) -> list[ErrorRow]:
        """Remember an image that was read as the witness; return the rows that may be sent now.

        Raises `ImageRootLost`.
        """
        self.witness = image
        return self.release()

    def settle(self) -> list[ErrorRow]:
        """Probe the image root if rows are withheld, and return them. Raises `ImageRootLost`."""
        if self.withheld:
            self.probe()
        return self.release()

    def release(self) -> list[ErrorRow]:
        """Return the withheld rows. Raises `ImageRootLost`.

        Their images are read again: the root may have been lost and be back by now.
        """
        for image, _ in self.withheld:
            if not self.is_missing(image):
                raise ImageRootLost(f"{image} was missing and is there again")
        rows, self.withheld = [row for _, row in self.withheld], []
        return rows

    def is_missing(self, image: str) -> bool:
        try:
            read_image_bytes(self.paths.resolve(image))
        except ImageProblem as problem:
            return problem.kind == "missing"
        except OSError as error:
            raise ImageRootLost.out_of_files(error) from error
        return False

    def discard(self) -> None:
        """Forget the withheld rows; their records are sent again by another attempt."""
        self.withheld = []

    def probe(self) -> None:
        """Raise `ImageRootLost` if the image root or the witness is gone."""
        if not Path(self.paths.root).is_dir():
            raise ImageRootLost(f"{self.paths.root} is not there")
        if self.witness is not None and not image_exists(self.paths, self.witness):
            raise ImageRootLost(f"{self.witness}, which was in {self.paths.root}, is gone")
