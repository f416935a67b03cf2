"""Image files as an export writes them: as they are, or encoded again so that readers take them.

The pixels of an encoded image are those that the models saw: the same rule opens it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import PurePosixPath
from typing import NamedTuple

from PIL import Image

from db.rows import ModelRow
from engine.images.image import (
    ImagePaths,
    ImageProblem,
    describe_error,
    open_image_bytes,
    read_image_bytes,
)
from engine.images.pixel_rules import OFFICIAL_RULES, PixelRules
from engine.utils.errors import BadInput

PILLOW_FORMATS = {"jpg": "JPEG", "webp": "WEBP", "png": "PNG"}
"""Pillow's names of the formats that are written, by their suffix without the dot."""
SUFFIX_OF_CONTENT = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp"}
"""The suffix that every reader knows, by Pillow's name of a format."""
DEFAULT_QUALITY = 90
"""The quality of encoded images unless one is named: CLIP trains no worse with it, and a file is
half as large as with 95."""
READ_BY_DATASETS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp"),
        *(".tif", ".tiff", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".tga"),
    )
)
"""The suffixes of files that models caption and the imagefolder builder of `datasets` takes for
images."""
ENCODE_OPTION = re.compile(r"(jpg|webp)(?::(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class ImageEncoding:
    """How images are encoded again."""

    kind: str
    """`jpg`, `webp` or `png`, which is lossless."""
    quality: int = DEFAULT_QUALITY
    """1 to 100; of no effect for `png`."""
    max_side: int | None = None
    """Pixels of the longer side; larger images are made smaller. None leaves them as they are."""
    rules: PixelRules = OFFICIAL_RULES
    """How the file becomes the picture that is encoded."""

    @property
    def suffix(self) -> str:
        return f".{self.kind}"

    def encode(self, data: bytes) -> bytes:
        """Return the content of an image file, encoded again. Raises `ImageProblem`."""
        image = open_image_bytes(data).rgb(self.rules)
        try:
            image = shrink(image, self.max_side)
            image.info = {}  # profile and EXIF: the pixels are to be taken as they are
            encoded = BytesIO()
            image.save(encoded, PILLOW_FORMATS[self.kind], quality=self.quality)
        except Exception as error:  # Pillow's encoders have limits of their own
            raise ImageProblem("too_large", describe_error(error)) from error
        return encoded.getvalue()


class ImageFile(NamedTuple):
    """An image file as it is written."""

    suffix: str
    """The suffix with its dot, in lower case."""
    data: bytes


def parse_encoding(option: str | None, max_side: int | None) -> ImageEncoding | None:
    """Return what `--encode jpg|webp[:QUALITY]` and `--max-side` ask for. Raises `BadInput`."""
    if option is None:
        if max_side is not None:
            raise BadInput("--max-side needs --encode jpg or --encode webp")
        return None
    match = ENCODE_OPTION.fullmatch(option)
    if match is None or not 1 <= int(match[2] or DEFAULT_QUALITY) <= 100:
        raise BadInput(
            f"--encode {option}: write jpg or webp, or with a quality of 1 to 100 jpg:90"
        )
    if max_side is not None and max_side < 1:
        raise BadInput(f"--max-side {max_side}: an image has at least one pixel a side")
    return ImageEncoding(match[1], int(match[2] or DEFAULT_QUALITY), max_side)


def shared_rules(models: Iterable[ModelRow]) -> PixelRules:
    """Return the pixel rules by which all of these models saw their pictures; if they saw different
    ones, those of the official code."""
    names = [entry.name for entry in fields(PixelRules)]
    rules = {
        PixelRules(**{name: model.settings[name] for name in names if name in model.settings})
        for model in models
    }
    return rules.pop() if len(rules) == 1 else OFFICIAL_RULES


def shrink(image: Image.Image, max_side: int | None) -> Image.Image:
    """Return an image whose longer side has no more than so many pixels."""
    longer = max(image.size)
    if max_side is None or longer <= max_side:
        return image
    width, height = (max(1, round(side * max_side / longer)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def image_suffix(image: str) -> str:
    """Return the suffix of an image for its copy: in lower case, as readers look for it.

    An image without a suffix gets `.jpg`.
    """
    return PurePosixPath(image).suffix.lower() or ".jpg"


def read_image_file(
    paths: ImagePaths, image: str, known_suffixes: Collection[str], encoding: ImageEncoding | None
) -> ImageFile:
    """Return an image as it is written for a reader that knows these suffixes.

    Without an `encoding` the content stays as it is; only a format that the reader does not know
    becomes PNG. Raises `ImageProblem`.
    """
    data = read_image_bytes(paths.resolve(image))
    if encoding is not None:
        return ImageFile(encoding.suffix, encoding.encode(data))
    suffix = image_suffix(image)
    if suffix in known_suffixes:
        return ImageFile(suffix, data)
    content = SUFFIX_OF_CONTENT.get(open_image_bytes(data).image.format or "")
    if content is not None:
        return ImageFile(content, data)
    lossless = ImageEncoding("png")
    return ImageFile(lossless.suffix, lossless.encode(data))
