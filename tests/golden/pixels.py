from __future__ import annotations

import torch
from PIL import Image

from engine.captioners.preprocessing.pixels import Square


def pixel_values(square: Square, image: Image.Image) -> torch.Tensor:
    """(3, S, S), as a worker on a CPU makes them."""
    return square.pixel_values([square.cut(image)], torch.device("cpu"), torch.float32)[0]
