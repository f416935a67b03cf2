"""From decoded pixels to the RGB picture that models see: one rule for all families and servers.

The rule is that of the official code, `convert("RGB")` of the pixels as they are stored; two
settings ask for something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageOps

Alpha = Literal["drop", "white"]
Exif = Literal["stored", "upright"]
JpegEnd = Literal["required", "optional"]

ORIENTATION_TAG = 0x0112
"""The EXIF tag that says how a camera was held; 1 means upright."""
UNTURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What undoes the turn that each orientation asks for."""
MAX_8_BITS, MAX_16_BITS = 2**8 - 1, 2**16 - 1
"""The largest samples of 8 and of 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelRules:
    """How the pixels of a file become the picture that a model sees."""

    alpha: Alpha = "drop"
    """`drop` keeps the colours below transparent pixels, as `convert("RGB")` does; `white` lays the
    picture on a white ground."""
    exif: Exif = "stored"
    """`stored` takes the pixels as they lie in the file, `upright` turns them as the EXIF tag
    says."""
    jpeg_end: JpegEnd = "required"
    """`optional` takes a JPEG that lacks nothing but its end marker for whole."""


OFFICIAL_RULES = PixelRules()
"""The rules of the official code of all four models."""


class UnknownSamples(ValueError):
    """Raised for samples whose brightness cannot be known."""


def to_rgb(image: Image.Image, rules: PixelRules) -> Image.Image:
    """Return a decoded image as RGB. Raises `UnknownSamples`, and what Pillow raises."""
    if rules.exif == "upright" and is_turned(image):
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = to_8_bits(image)
    if rules.alpha == "white" and image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    # Converting an image to its own mode would copy it.
    return image if image.mode == "RGB" else image.convert("RGB")


def is_turned(image: Image.Image) -> bool:
    """Return True if the EXIF tag of an image asks for it to be turned or mirrored."""
    return image.getexif().get(ORIENTATION_TAG, 1) in UNTURN


def tiff_orientation(image: Image.Image) -> int:
    """Return the orientation of a TIFF, by which Pillow turns it while it decodes it; else 1."""
    if image.format != "TIFF":
        return 1
    orientation = image.getexif().get(ORIENTATION_TAG, 1)
    return orientation if isinstance(orientation, int) else 1


def turn_back(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image that Pillow has turned as it is stored."""
    stored = image.transpose(UNTURN[orientation])
    stored.format = image.format
    return stored


def to_8_bits(image: Image.Image) -> Image.Image:
    """Return an image of integers or floats as grey with 8 bits. Raises `UnknownSamples`.

    Samples of 16 bits are scaled by their range. The range of others is not written in the file: it
    is taken for 1 (floats), 255 or 65,535, whichever is the first that holds all samples.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format != "TIFF"):
        return scaled(image.convert("I"), 1 / 256)
    import numpy as np  # takes long to load, and few files need it

    samples = np.asarray(image)
    low, high = float(samples.min()), float(samples.max())
    # No comparison is true of a sample that is not a number.
    if not (low >= 0 and high <= MAX_16_BITS):
        raise UnknownSamples(
            f"samples from {low:g} to {high:g} have an unknown range: convert the image to 8 bits"
        )
    if image.mode == "F" and high <= 1:
        return scaled(image, MAX_8_BITS, 0.5)
    return scaled(image, 1 if high <= MAX_8_BITS else 1 / 256)


def scaled(image: Image.Image, factor: float, offset: float = 0) -> Image.Image:
    """Return an image of integers or floats with 8 bits: samples times `factor`, plus `offset`,
    cut to whole numbers."""
    # Pillow knows only this form of function for such images.
    return image.point(lambda value: value * factor + offset).convert("L")
