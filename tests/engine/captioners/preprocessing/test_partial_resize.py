"""Thin images cost no more than others, and give the pixels that they gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.captioners.preprocessing import pixels
from engine.captioners.preprocessing.partial_resize import resize_part
from engine.captioners.preprocessing.pixels import BICUBIC, RESIZERS, SquarePreprocessor

SIDE = st.integers(1, 90)


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3))
    return Image.fromarray(values.astype(np.uint8))


@given(SIDE, SIDE, SIDE, SIDE, st.data())
def test_a_part_is_that_of_the_whole(
    width: int, height: int, new_width: int, new_height: int, data: st.DataObject
) -> None:
    left, top = data.draw(st.integers(0, new_width - 1)), data.draw(st.integers(0, new_height - 1))
    right = data.draw(st.integers(left + 1, new_width))
    bottom = data.draw(st.integers(top + 1, new_height))
    image, box = noise(width, height), (left, top, right, bottom)
    # Two calls of Pillow, since it may choose to filter the rows first in one.
    columns_first = image.resize((new_width, height), BICUBIC)
    whole = columns_first.resize((new_width, new_height), BICUBIC)
    part = resize_part(image, (new_width, new_height), box)
    assert np.array_equal(np.asarray(part), np.asarray(whole.crop(box)))


@pytest.mark.parametrize("size", [(2000, 20), (20, 2000), (31, 900), (900, 31)])
def test_a_thin_image_is_cropped_to_the_same_pixels(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    square = SquarePreprocessor(32, "crop")
    image = noise(*size)
    cropped = square.resize(image)
    monkeypatch.setattr(pixels, "MAX_RESIZED_SIDES", 10_000)
    whole = square.resize(image)
    assert np.array_equal(cropped, whole)


@pytest.mark.parametrize("mode", RESIZERS)
@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (199, 60_000)])
def test_no_image_becomes_larger_than_a_few_squares(
    mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    square = SquarePreprocessor(336, mode)
    largest = 4 * max(size[0] * size[1], (pixels.MAX_RESIZED_SIDES * square.side) ** 2)
    resize, new = Image.Image.resize, Image.new

    def check(area: int) -> None:
        assert area <= largest

    def watched_resize(self: Image.Image, new_size: tuple[int, int], *args: Any) -> Image.Image:
        check(new_size[0] * new_size[1])
        return resize(self, new_size, *args)

    def watched_new(mode: str, new_size: tuple[int, int], *args: Any) -> Image.Image:
        check(new_size[0] * new_size[1])
        return new(mode, new_size, *args)

    image = Image.new("RGB", size)
    monkeypatch.setattr(Image.Image, "resize", watched_resize)
    monkeypatch.setattr(Image, "new", watched_new)
    assert square.resize(image).shape == (336, 336, 3)


def test_a_thin_image_is_padded_with_the_mean_colour() -> None:
    square = SquarePreprocessor(32, "pad")
    padded = square.resize(Image.new("RGB", (4000, 300), "red"))
    assert padded[0, 0].tolist() == [int(value * 255) for value in square.mean]
    assert padded[16, 16].tolist() == [255, 0, 0]
