"""Pixel values for the golden tests."""

from __future__ import annotations

import torch
from PIL import Image

from engine.captioners.preprocessing.pixels import SquarePreprocessor


def pixel_values(square: SquarePreprocessor, image: Image.Image) -> torch.Tensor:
    """Return the image's pixel values (3, S, S), as a worker on a CPU computes them."""
    return square.pixel_values([square.resize(image)], torch.device("cpu"), torch.float32)[0]
