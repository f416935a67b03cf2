"""A part of a resized image, computed without the rest of it.

A thin image whose short edge is resized to the side of a square becomes many gigabytes, of which
the square in the middle is all that a model sees. The arithmetic is that of Pillow's bicubic filter
(`src/libImaging/Resample.c`), columns first and then rows, to the bit: Pillow's own `box` is
rounded to 32 bits, which changes pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PRECISION_BITS = 22
"""Bits behind the point of Pillow's weights."""
SUPPORT = 2.0
"""Half the width of the bicubic filter, in pixels of the coarser image."""
SHARPNESS = -0.5
"""The parameter of the bicubic filter, called `a`."""


def resize_part(
    image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int]
) -> Image.Image:
    """Return what `image.resize(size, BICUBIC).crop(box)` would, for an RGB image.

    Pillow 13 filters the rows of some tall images first, which changes a few pixels by the rounding
    between the two passes. `box` is (left, top, right, bottom) within `size`.
    """
    left, top, right, bottom = box
    columns, column_weights = filter_weights(image.width, size[0], left, right)
    rows, row_weights = filter_weights(image.height, size[1], top, bottom)
    first_row, last_row = int(rows.min()), int(rows.max()) + 1
    strip = np.asarray(image.crop((0, first_row, image.width, last_row)), np.int64)
    half = weigh(strip.swapaxes(0, 1), columns, column_weights).swapaxes(0, 1)
    return Image.fromarray(weigh(half, rows - first_row, row_weights).astype(np.uint8))


def weigh(
    lines: NDArray[np.int64], indices: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the weighted sums of lines of pixels, (N, length, 3).

    `indices` and `weights` are (N, K): the lines of each sum, and their weights.
    """
    sums = np.full((len(indices), *lines.shape[1:]), 1 << (PRECISION_BITS - 1), np.int64)
    for k in range(indices.shape[1]):
        sums += lines[indices[:, k]] * weights[:, k, None, None]
    sums >>= PRECISION_BITS
    return sums.clip(0, 255)


def filter_weights(
    length: int, resized: int, start: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels that each pixel from `start` to `end` of a resized line is made of.

    Both arrays are (end - start, K): indices in the line, which has `length` pixels, and weights,
    which are 0 where a pixel is made of fewer than K.
    """
    scale = length / resized
    filter_scale = max(scale, 1.0)
    support = SUPPORT * filter_scale
    window = math.ceil(support) * 2 + 1
    centres = (np.arange(start, end) + 0.5) * scale
    first = np.maximum((centres - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + support + 0.5).astype(np.int64), length)
    indices = first[:, None] + np.arange(window)
    inside = indices < last[:, None]
    values = np.where(inside, bicubic((indices - centres[:, None] + 0.5) / filter_scale), 0.0)
    values /= np.cumsum(values, axis=1)[:, -1:]
    fixed = values * (1 << PRECISION_BITS)
    weights = np.where(fixed < 0, fixed - 0.5, fixed + 0.5).astype(np.int64)
    return np.where(inside, indices, first[:, None]), weights


def bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bicubic filter at distances from its centre, as Pillow computes it."""
    x, a = np.abs(x), SHARPNESS
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
