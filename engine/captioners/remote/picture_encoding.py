"""The form in which a picture travels to a server: the pixels that a local model would see."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from PIL import Image

from engine.images.file_repair import without_jpeg_tags
from engine.images.image import ImageProblem, Picture, open_image_bytes
from engine.images.pixel_rules import PixelRules, is_turned

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
}
"""Media types of the formats that every server reads."""
PLAIN_MODES = ("RGB", "L")
"""Pixel modes of these formats that every server turns into the same RGB."""
MAX_FILE_BYTES = 2 * 2**20
"""Larger files are sent as a JPEG of `LONGEST_SIDE`: no model here sees more of them."""
LONGEST_SIDE = 2048
"""Longest side, in pixels, of a picture that is sent as a new JPEG."""
JPEG_QUALITY = 95


def encode_picture(picture: Picture, rules: PixelRules) -> str:
    """Return a picture as a data URL. Raises `ImageProblem`.

    Every image is decoded, so that a damaged one fails here as it does with a local model. A file
    in which a server finds these pixels is sent as it is, another one as a PNG, a large one as a
    smaller JPEG. None has transparency, or an EXIF tag that turns it.
    """
    rgb = picture.rgb(rules)
    file = plain_file(picture, rules)
    if file is not None and len(file) <= MAX_FILE_BYTES:
        return data_url(MEDIA_TYPES[picture.image.format or ""], file)
    if file is None and max(rgb.size) <= LONGEST_SIDE:
        png = encode(rgb, "PNG", compress_level=1)
        if len(png) <= MAX_FILE_BYTES:
            return data_url("image/png", png)
    return data_url("image/jpeg", encode(rgb, "JPEG", quality=JPEG_QUALITY))


def plain_file(picture: Picture, rules: PixelRules) -> bytes | None:
    """Return the bytes of a file in which every server finds the pixels of the rules, or None."""
    image = picture.image
    if image.format not in MEDIA_TYPES or picture.mode not in PLAIN_MODES:
        return None
    # The other pictures of an MPO file are no frames of an animation.
    is_animated = getattr(image, "is_animated", False) and image.format != "MPO"
    if image.has_transparency_data or is_animated:
        return None
    if not is_turned(image):
        return picture.sound_data
    if rules.exif == "stored" and image.format in ("JPEG", "MPO"):
        return without_jpeg_tags(picture.sound_data)
    return None


def as_jpeg(url: str) -> str | None:
    """Return the picture of a data URL as a JPEG, or None if it is one or cannot be decoded."""
    kind, _, data = url.partition(";base64,")
    if kind == "data:image/jpeg":
        return None
    try:
        rgb = open_image_bytes(base64.b64decode(data)).rgb()
    except ImageProblem:
        return None
    return data_url("image/jpeg", encode(rgb, "JPEG", quality=JPEG_QUALITY))


def encode(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return an image of at most `LONGEST_SIDE` as a file of this format, without any tags."""
    image = image.copy()  # it may be the picture's own
    image.info = {}
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = BytesIO()
    image.save(file, format, exif=b"", **options)
    return file.getvalue()


def data_url(media_type: str, file: bytes) -> str:
    """Return the content of a file as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(file).decode()}"
