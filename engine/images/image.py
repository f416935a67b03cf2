"""Opening an image of the data set: found, checked, decoded, or refused with its reason."""

from __future__ import annotations

import os
import stat
import tarfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from engine.images import tar_members

Kind = Literal[
    "missing",
    "outside",
    "not_a_file",
    "unreadable",
    "corrupt",
    "too_large",
    "timeout",
    "refused",
    "unanswered",
]
"""The last two by a server: it will not caption the image, or fails at it every time."""

MAX_PIXELS = 200_000_000
"""Larger images are refused before they are decoded (600 MB as RGB)."""
MAX_BYTES = 512 * 2**20
DRAFT = 2
"""A decoder's own averaging followed by a reduction this large is close to one reduction."""
Image.init()
# Our own check below is the one that counts, with a clear reason.
Image.MAX_IMAGE_PIXELS = None
DATA_SET = {"JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF", "PPM", "TGA"}
FORMATS = sorted(DATA_SET & Image.OPEN.keys())
"""What data sets hold. The others stay closed: EPS, for one, would start Ghostscript."""


class ImageProblem(Exception):
    """An image that cannot be captioned; `kind` is the error of the record."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ImagePaths:
    """How the image of a record is found from what the input calls it."""

    root: str
    path_map: tuple[tuple[str, str], ...] = ()
    allow_outside: bool = False

    def resolve(self, image: str) -> str:
        """Raises `ImageProblem` for a path that climbs out of the image root as written."""
        for old, new in self.path_map:
            if image.startswith(old):
                image = new + image[len(old) :]
                break
        if "\0" in image:
            raise ImageProblem("missing", "the path holds a NUL character")
        relative = os.path.normpath(image)
        if not self.allow_outside and relative.split(os.sep, 1)[0] == os.pardir:
            raise ImageProblem("outside", f"{image} lies outside the image root")
        return os.path.join(self.root, image)  # noqa: PTH118 (an absolute path wins)


@dataclass
class Picture:
    """An opened image; `width`, `height` and `mode` are the file's, before any conversion."""

    image: Image.Image
    data: bytes
    width: int
    height: int
    mode: str

    @cached_property
    def crc32(self) -> int:
        return zlib.crc32(self.data)

    def draft(self, side: int) -> None:
        """Has a JPEG decoded at a half, a quarter or an eighth, still `DRAFT` times `side` or more
        each way: to be called before anything decodes it."""
        if min(self.width, self.height) >= DRAFT * side * 2 and self.image.format == "JPEG":
            self.image.draft(None, (DRAFT * side, DRAFT * side))

    def decode(self) -> Image.Image:
        """Decodes the pixels of the first frame. Raises `ImageProblem`."""
        try:
            self.image.load()
        except Exception as error:  # Pillow's decoders raise nearly anything on bad data
            raise ImageProblem("corrupt", reason(error)) from error
        return self.image

    def rgb(self) -> Image.Image:
        """The first frame as RGB, as `convert("RGB")` gives it, 16 bits scaled to 8."""
        image = self.decode()
        try:
            if image.mode.startswith("I"):
                image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
            # Converting to the mode that it has would copy it.
            return image if image.mode == "RGB" else image.convert("RGB")
        except Exception as error:
            raise ImageProblem("corrupt", reason(error)) from error


def open_image(path: str) -> Picture:
    """Reads a regular file and its image header. Raises `ImageProblem`."""
    return picture_of(read_file(path))


def picture_of(data: bytes) -> Picture:
    """Reads the header of a file's bytes. Raises `ImageProblem`."""
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageProblem("corrupt", f"not an image: {describe(data)}") from error
    except Exception as error:
        raise ImageProblem("corrupt", reason(error)) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageProblem("too_large", f"{width}x{height} pixels, the limit is {MAX_PIXELS}")
    return Picture(image, data, width, height, image.mode)


def read_file(path: str) -> bytes:
    """Only regular files: a FIFO or a device could block for ever. Raises `ImageProblem`."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except NotADirectoryError:
        return read_member(path)
    except FileNotFoundError as error:
        raise ImageProblem("missing", f"no such file: {path}") from error
    except (OSError, UnicodeEncodeError) as error:
        raise ImageProblem("unreadable", reason(error)) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise ImageProblem("not_a_file", f"not a regular file: {path}")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > MAX_BYTES:
            raise ImageProblem("too_large", f"{status.st_size} bytes, the limit is {MAX_BYTES}")
        try:
            data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ImageProblem("unreadable", reason(error)) from error
    if len(data) > MAX_BYTES:  # files of the kernel's own have no size
        raise ImageProblem("too_large", f"more than {MAX_BYTES} bytes")
    return data


def read_member(path: str) -> bytes:
    """An image inside of a tar. Raises `ImageProblem`."""
    try:
        member = tar_members.find(path)
        if member is None:
            raise ImageProblem("missing", f"no such file: {path}")
        if member.size > MAX_BYTES:
            raise ImageProblem("too_large", f"{member.size} bytes, the limit is {MAX_BYTES}")
        return tar_members.read(member)
    except (OSError, tarfile.TarError) as error:
        raise ImageProblem("unreadable", reason(error)) from error


def describe(data: bytes) -> str:
    if not data:
        return "the file is empty"
    return f"the file starts with {data[:12]!r}"


def reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def exists(paths: ImagePaths, image: str) -> bool:
    try:
        path = paths.resolve(image)
        return Path(path).is_file() or (
            tar_members.SUFFIX + os.sep in path and tar_members.find(path) is not None
        )
    except (ImageProblem, OSError, ValueError, tarfile.TarError):
        return False
