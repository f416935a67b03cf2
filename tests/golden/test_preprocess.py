"""Preprocessing gives the pixel values of the official processors."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from engine.captioners.preprocessing.pixels import SquarePreprocessor
from engine.images.image import open_image
from tests.golden.pixels import pixel_values

MODES = {"squash": "squash", "clip_crop": "crop", "clip_pad": "pad"}


def test_pixel_values(preprocess_folder: Path) -> None:
    """Pixel values are equal to the bit, also for files that are opened as a project opens them."""
    expected = load_file(preprocess_folder / "expected.safetensors")
    compared = set()
    for name, pixels in expected.items():
        mode, _, image = name.partition(".")
        square = SquarePreprocessor(pixels.shape[-1], MODES[mode])
        path = next(preprocess_folder.glob(f"{image}.*"))
        assert torch.equal(pixel_values(square, open_image(str(path)).rgb()), pixels), name
        assert torch.equal(pixel_values(square, Image.open(path).convert("RGB")), pixels), name
        compared.add(mode)
    assert compared == set(MODES)
