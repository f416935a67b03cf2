"""Pictures of shapes and modes at which processors differ."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw

SHAPES = {
    "wide.png": (300, 200, "RGB"),
    "tall.png": (120, 280, "RGB"),
    "square.png": (230, 230, "L"),
    "seen_through.png": (200, 260, "RGBA"),
    "one_pixel.png": (1, 1, "RGB"),
    "strip.png": (500, 20, "RGB"),
    "thread.png": (3, 240, "RGB"),
    "hair.png": (1250, 5, "RGB"),
}
"""Width, height and mode of each picture; the last is refused by some processors."""


def draw(folder: Path) -> list[Path]:
    """Draw the pictures into a folder and return their paths."""
    paths = []
    for number, (name, (width, height, mode)) in enumerate(SHAPES.items()):
        dice = random.Random(number)
        image = Image.new("RGB", (width, height), tuple(dice.randrange(256) for _ in range(3)))
        pencil = ImageDraw.Draw(image)
        for _ in range(9):
            x, y = dice.randrange(width), dice.randrange(height)
            colour = tuple(dice.randrange(256) for _ in range(3))
            pencil.ellipse((x, y, x + width // 4 + 1, y + height // 4 + 1), fill=colour)
        image.convert(mode).save(folder / name)
        paths.append(folder / name)
    return paths
