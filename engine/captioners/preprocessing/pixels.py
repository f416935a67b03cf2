"""An image as a model's input: a square of pixels, with CLIP's mean and standard deviation.

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

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True, slots=True)
class Square:
    """Makes a model's pixels of RGB images; `mode` is a preprocessing of `settings`."""

    side: int
    mode: str
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    def cut(self, image: Image.Image) -> NDArray[np.uint8]:
        """(side, side, 3): what waits for the model takes a quarter of `pixel_values`."""
        return np.asarray(MODES[self.mode](image, self))

    def pixel_values(
        self, cuts: Sequence[NDArray[np.uint8]], device: torch.device, dtype: torch.dtype
    ) -> torch.Tensor:
        """(B, 3, side, side), normalised where the model is."""
        on_gpu = device.type == "cuda"
        sizes = (len(cuts), self.side, self.side, 3)
        values = torch.empty(sizes, dtype=torch.uint8, pin_memory=on_gpu)
        np.stack(cuts, out=values.numpy())
        values = values.to(device, non_blocking=True)
        made = torch.empty(len(cuts), 3, self.side, self.side, device=device, dtype=dtype)
        known = torch.from_numpy(tables(self.mean, self.std)).to(device, dtype)
        for channel, table in enumerate(known):
            index = values[..., channel].flatten().int()
            made[:, channel] = table.index_select(0, index).view(-1, self.side, self.side)
        return made


@cache
def tables(mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """What each of the 256 values becomes, by channel: the same arithmetic, done once."""
    scaled = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    middle, spread = np.array(mean, np.float32), np.array(std, np.float32)
    return np.ascontiguousarray(((scaled[:, None] - middle) / spread).T)


def squash(image: Image.Image, square: Square) -> Image.Image:
    """Resized to the square whatever its shape."""
    return image.resize((square.side, square.side), BICUBIC)


def crop(image: Image.Image, square: Square) -> Image.Image:
    """The shortest edge resized to the side, then the centre."""
    width, height = image.size
    short = min(width, height)
    size = (
        (square.side, int(square.side * height / width))
        if short == width
        else (int(square.side * width / height), square.side)
    )
    resized = image.resize(size, BICUBIC)
    left, top = (size[0] - square.side) // 2, (size[1] - square.side) // 2
    return resized.crop((left, top, left + square.side, top + square.side))


def pad(image: Image.Image, square: Square) -> Image.Image:
    """Centred on a square of the mean colour, then resized."""
    width, height = image.size
    longest = max(width, height)
    colour = tuple(int(value * 255) for value in square.mean)
    canvas = Image.new("RGB", (longest, longest), colour)
    canvas.paste(image, ((longest - width) // 2, (longest - height) // 2))
    return canvas.resize((square.side, square.side), BICUBIC)


MODES: dict[str, Callable[[Image.Image, Square], Image.Image]] = {
    "squash": squash,
    "crop": crop,
    "pad": pad,
}
