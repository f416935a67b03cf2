"""A picture that any model can say something about: for asking whether one answers at all."""

from __future__ import annotations

from PIL import Image, ImageDraw


def drawing() -> Image.Image:
    """A red disc over a blue bar."""
    image = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((110, 20, 210, 120), fill="red")
    draw.rectangle((60, 150, 260, 210), fill="blue")
    return image
