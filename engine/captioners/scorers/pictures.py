"""How pictures become the inputs of a scorer: as its checkpoint's own image processor makes them.

Where one of our ways to make a square gives the same pixels, that is used: it is several times
faster, its results wait for the model in a quarter of the memory, and thin pictures are no danger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from engine.captioners.families.hf.picture_limits import sizes
from engine.captioners.preprocessing.pixels import RESIZERS, SquarePreprocessor
from engine.images.image import ImageProblem

TRIED_SIZES = ((200, 120), (90, 260), (431, 640), (64, 64))
"""Width and height of the pictures, in pixels, on which both ways are compared."""
SAME = 1e-5
"""By how much normalised pixels may differ and count as the same: rounding alone makes 1e-6."""
MAX_ASPECT_RATIO = 100
"""Times the short side that the long side of a picture may have for a processor that enlarges the
short side to a square's: with more, the picture would take gigabytes."""


class Pictures(Protocol):
    """Prepares pictures one by one, and joins them to the inputs of a batch."""

    def prepare(self, image: Image.Image) -> Any:
        """Return a prepared RGB picture. Raises `ImageProblem`."""

    def join(
        self, prepared: Sequence[Any], device: torch.device, dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Return the model inputs of a batch."""


class Squares:
    """Our own way, with the same pixels."""

    def __init__(self, square: SquarePreprocessor) -> None:
        self.square = square

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return self.square.resize(image)

    def join(
        self, prepared: Sequence[NDArray[np.uint8]], device: torch.device, dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        return {"pixel_values": self.square.pixel_values(prepared, device, dtype)}


class ProcessedPictures:
    """The checkpoint's own processor."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.enlarges_short_side = "shortest_edge" in sizes(processor.image_processor)

    def prepare(self, image: Image.Image) -> dict[str, torch.Tensor]:
        if self.enlarges_short_side and max(image.size) > MAX_ASPECT_RATIO * min(image.size):
            raise ImageProblem("refused", f"{image.width}x{image.height} pixels are too thin")
        return dict(self.processor(images=image, return_tensors="pt"))

    def join(
        self,
        prepared: Sequence[dict[str, torch.Tensor]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> dict[str, torch.Tensor]:
        joined = {key: torch.cat([row[key] for row in prepared]) for key in prepared[0]}
        return {
            key: value.to(device, dtype if value.is_floating_point() else None)
            for key, value in joined.items()
        }


def pictures_of(processor: Any) -> Pictures:
    """Return the fastest way to prepare pictures as a processor of transformers does."""
    square = same_square(processor)
    return ProcessedPictures(processor) if square is None else Squares(square)


def same_square(processor: Any) -> SquarePreprocessor | None:
    """Return our way that makes the same pixels as a processor; None if there is none."""
    size = sizes(processor.image_processor)
    mean, std = normalisation(processor.image_processor)
    side = size.get("shortest_edge") or size.get("height")
    if side is None or not mean or not std:
        return None
    images = [noise(width, height) for width, height in TRIED_SIZES]
    theirs = [processor(images=image, return_tensors="pt")["pixel_values"] for image in images]
    for mode in RESIZERS:
        square = SquarePreprocessor(side, mode, mean, std)
        ours = square.pixel_values(
            [square.resize(image) for image in images], torch.device("cpu"), torch.float32
        )
        if all(
            one[None].shape == other.shape and torch.allclose(one[None], other, atol=SAME, rtol=0)
            for one, other in zip(ours, theirs, strict=True)
        ):
            return square
    return None


def normalisation(processor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel; empty if they are not three numbers."""
    values = (getattr(processor, name, None) for name in ("image_mean", "image_std"))
    mean, std = (
        tuple(it) if isinstance(it, list | tuple) and len(it) == 3 else () for it in values
    )
    return mean, std


def noise(width: int, height: int) -> Image.Image:
    """Return a picture of random pixels, always the same."""
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
