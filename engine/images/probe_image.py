"""The probe image: an image of our own, to find out whether a model captions anything at all."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw


def draw_probe_image() -> Image.Image:
    """Return a red disc above a blue bar, which any model can describe."""
    image = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((110, 20, 210, 120), fill="red")
    draw.rectangle((60, 150, 260, 210), fill="blue")
    return image


def probe_image_file() -> bytes:
    """Return the content of a JPEG file with the probe image."""
    file = BytesIO()
    draw_probe_image().save(file, "JPEG")
    return file.getvalue()
