"""Pictures whose colour tells their number, so that a caption on a wrong image shows."""

from __future__ import annotations

from PIL import Image

LEVELS = 8
"""Levels of each colour channel: 32 steps apart, so that a JPEG's loss does not matter."""
STEP = 256 // LEVELS
"""The distance of two levels."""


def picture(number: int, mode: str = "RGB", size: tuple[int, int] = (40, 24)) -> Image.Image:
    """Return a picture of one colour, for a number from 0 to 511."""
    digits = (number // LEVELS**2, number // LEVELS % LEVELS, number % LEVELS)
    colour = tuple(digit * STEP + STEP // 2 for digit in digits)
    return Image.new("RGB", size, colour).convert(mode)


def number_of(image: Image.Image) -> int:
    """Return the number that a picture's colour tells."""
    rgb = image.convert("RGB")
    return number_of_colour(rgb.getpixel((rgb.width // 2, rgb.height // 2)))


def number_of_colour(colour: object) -> int:
    """Return the number that a colour (three values of 0 to 255) tells."""
    red, green, blue = (int(value) // STEP for value in colour)  # type: ignore[attr-defined]
    return (red * LEVELS + green) * LEVELS + blue
