"""Images as model inputs: squares of pixels, normalised by CLIP's mean and standard deviation.

The values equal those of the official processors to the bit (CLIPImageProcessor, BLIP's
Blip2ImageEvalProcessor, Qwen-VL's `visual.py`), without torchvision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from engine.captioners.preprocessing.partial_resize import resize_part

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of red, green and blue in CLIP's training images, from 0 to 1."""
BICUBIC = Image.Resampling.BICUBIC
MAX_RESIZED_SIDES = 8
"""The most sides of the square that an image is resized to before it is cut or padded: with more,
a thin image would take gigabytes."""
MAX_ASPECT_RATIO = 8
"""Times the short side that the long side of an image may have to be padded before it is resized,
as the official code does."""


@dataclass(frozen=True, slots=True)
class SquarePreprocessor:
    """The preprocessing of one model: RGB images to squares, and squares to `pixel_values`."""

    side: int
    """Side of the square in pixels."""
    mode: str
    """How an image becomes a square: a value of the setting `preprocess`."""
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    def resize(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the square of an image, (side, side, 3).

        Images wait for the model in this form, since it takes a quarter of the memory of
        `pixel_values`.
        """
        return np.asarray(RESIZERS[self.mode](image, self))

    def pixel_values(
        self, squares: Sequence[NDArray[np.uint8]], device: torch.device, dtype: torch.dtype
    ) -> torch.Tensor:
        """Return the normalised pixels (B, 3, side, side), computed on the model's device."""
        on_gpu = device.type == "cuda"
        shape = (len(squares), self.side, self.side, 3)
        values = torch.empty(shape, dtype=torch.uint8, pin_memory=on_gpu)
        np.stack(squares, out=values.numpy())
        values = values.to(device, non_blocking=True)
        pixels = torch.empty(len(squares), 3, self.side, self.side, device=device, dtype=dtype)
        tables = torch.from_numpy(normalisation_tables(self.mean, self.std)).to(device, dtype)
        for channel, table in enumerate(tables):
            index = values[..., channel].flatten().int()
            pixels[:, channel] = table.index_select(0, index).view(-1, self.side, self.side)
        return pixels


@cache
def normalisation_tables(mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """Return (3, 256): the normalised value of each of the 256 values, for each channel.

    The arithmetic is that of the official processors, done once instead of for every pixel.
    """
    scaled = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    means, stds = np.array(mean, np.float32), np.array(std, np.float32)
    return np.ascontiguousarray(((scaled[:, None] - means) / stds).T)


def squash(image: Image.Image, square: SquarePreprocessor) -> Image.Image:
    """Resize the image to the square, whatever its aspect ratio."""
    return image.resize((square.side, square.side), BICUBIC)


def crop(image: Image.Image, square: SquarePreprocessor) -> Image.Image:
    """Resize the shortest edge to the side of the square and cut out the centre."""
    width, height = image.size
    short = min(width, height)
    size = (
        (square.side, int(square.side * height / width))
        if short == width
        else (int(square.side * width / height), square.side)
    )
    left, top = (size[0] - square.side) // 2, (size[1] - square.side) // 2
    box = (left, top, left + square.side, top + square.side)
    if max(size) > MAX_RESIZED_SIDES * square.side:
        return resize_part(image, size, box)
    return image.resize(size, BICUBIC).crop(box)


def pad(image: Image.Image, square: SquarePreprocessor) -> Image.Image:
    """Put the image into the centre of a square of the mean colour and resize that.

    A thin image, whose square would be many times its own size, is resized first.
    """
    width, height = image.size
    longest, shortest = max(width, height), min(width, height)
    if longest > max(MAX_RESIZED_SIDES * square.side, MAX_ASPECT_RATIO * shortest):
        width = max(1, round(width * square.side / longest))
        height = max(1, round(height * square.side / longest))
        image, longest = image.resize((width, height), BICUBIC), square.side
    colour = tuple(int(value * 255) for value in square.mean)
    canvas = Image.new("RGB", (longest, longest), colour)
    canvas.paste(image, ((longest - width) // 2, (longest - height) // 2))
    return canvas.resize((square.side, square.side), BICUBIC)


RESIZERS: dict[str, Callable[[Image.Image, SquarePreprocessor], Image.Image]] = {
    "squash": squash,
    "crop": crop,
    "pad": pad,
}
"""The ways to make a square, by the value of the setting `preprocess`."""
