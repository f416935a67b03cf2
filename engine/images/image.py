"""Opening an image of the data set: its path is resolved, its file read, checked and decoded.

What cannot be captioned raises `ImageProblem`, whose kind becomes the error of the record.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from engine.images import table_images, tar_members
from engine.images.file_repair import with_jpeg_end, without_png_texts
from engine.images.formats import HOW_TO_READ, image_formats, unread_format
from engine.images.pillow_limit import PILLOW_LIMIT_LIFTED
from engine.images.pixel_rules import (
    OFFICIAL_RULES,
    UNTURN,
    PixelRules,
    UnknownSamples,
    tiff_orientation,
    to_rgb,
    turn_back,
)
from engine.protocol.caption_row import ErrorRow

ProblemKind = Literal[
    "missing",
    "outside",
    "not_a_file",
    "unreadable",
    "corrupt",
    "too_large",
    "timeout",
    "refused",
    "unanswered",
    "unusable_text",
    "no_caption",
]
"""The reason why an image cannot be captioned. "timeout" is set where a blocked read is given up;
"refused" is set for a model or a server that will not caption the image, "unanswered" for a server
that fails at it every time, "unusable_text" for a record that lacks the text a prompt asks for,
"no_caption" for an answer that is only reasoning, empty, or a template's tokens."""

MAX_PIXELS = 200_000_000
"""Pixels; a larger image is refused before it is decoded. This many take 600 MB as RGB."""
MAX_BYTES = 512 * 2**20
"""Bytes; a larger image file is refused before it is read."""
SHOWN_BYTES = 12
"""Bytes of a file that is no image which its failure shows."""
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
"""Errors of opening a file that are the machine's trouble, and no image's: too many are open."""
DRAFT_FACTOR = 2
"""A JPEG is decoded at no less than this many times the size needed: the decoder's averaging
followed by a reduction by this factor is close to one reduction of the whole."""


class ImageProblem(Exception):
    """An image that cannot be captioned; `kind` is the error of the record."""

    def __init__(self, kind: ProblemKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail

    def row(self, i: int) -> ErrorRow:
        """Return the row of the caption log for the record with index `i`, which has this image."""
        return ErrorRow(i=i, error=self.kind, detail=self.detail)


def map_prefix(image: str, path_map: Sequence[tuple[str, str]]) -> str | None:
    """Return an image path with a new prefix, or None if no old prefix fits.

    `path_map` holds (old prefix, new prefix); the first old one that fits is replaced. Behind an
    old prefix with backslashes, which Windows writes, backslashes become slashes.
    """
    for old, new in path_map:
        if image.startswith(old):
            rest = image[len(old) :]
            return new + (rest.replace("\\", "/") if "\\" in old else rest)
    return None


@dataclass(frozen=True, slots=True)
class ImagePaths:
    """The rules that turn the image of a record, as the input names it, into a path."""

    root: str
    """The image root; relative paths start there."""
    path_map: tuple[tuple[str, str], ...] = ()
    """(old prefix, new prefix); the first old one that a name starts with is replaced."""
    allow_outside: bool = False
    """True if a relative path may climb out of the image root."""
    confined: bool = False
    """True if every image must really lie in the image root: absolute paths and links, too."""

    def resolve(self, image: str) -> str:
        """Return the path of an image. The file need not exist.

        Raises `ImageProblem` if the path as written climbs out of the image root, or leads out of
        it in another way although it is `confined`.
        """
        mapped = map_prefix(image, self.path_map)
        image = image if mapped is None else mapped
        if "\0" in image:
            raise ImageProblem("missing", "the path holds a NUL character")
        relative = os.path.normpath(image)
        if not self.allow_outside and relative.split(os.sep, 1)[0] == os.pardir:
            raise ImageProblem("outside", f"{image} lies outside the image root")
        path = os.path.join(self.root, image)  # noqa: PTH118 (an absolute path wins)
        if self.confined and not lies_in(path, self.root):
            raise ImageProblem(
                "outside",
                f"{image} lies outside the image root and was not sent to the server: 'run"
                " --allow-outside' allows it",
            )
        return path


def lies_in(path: str, folder: str) -> bool:
    """Return True if a file really lies in a folder, links followed; it need not exist."""
    try:
        real_folder = os.path.realpath(folder)
        return os.path.commonpath((os.path.realpath(path), real_folder)) == real_folder
    except ValueError:  # a name that no file system takes: opening it says so
        return True


@dataclass(kw_only=True)
class Picture:
    """An opened image; `width`, `height` and `mode` are the file's, before any conversion."""

    image: Image.Image
    data: bytes
    """The content of the file."""
    width: int
    height: int
    mode: str
    sound_data: bytes
    """The bytes from which Pillow decodes the pixels: `data`, or a repaired copy of it."""

    @cached_property
    def crc32(self) -> int:
        return zlib.crc32(self.data)

    def draft(self, side: int) -> None:
        """Let a JPEG be decoded at a half, a quarter or an eighth of its size.

        Each side stays at least `DRAFT_FACTOR` times `side` pixels. Must be called before `decode`.
        """
        if min(self.width, self.height) >= DRAFT_FACTOR * side * 2 and self.image.format == "JPEG":
            self.image.draft(None, (DRAFT_FACTOR * side, DRAFT_FACTOR * side))

    def decode(self, rules: PixelRules = OFFICIAL_RULES) -> Image.Image:
        """Decode the pixels of the first frame. Raises `ImageProblem`."""
        turn = tiff_orientation(self.image)
        try:
            with PILLOW_LIMIT_LIFTED:
                self.image.load()
        except Exception as error:  # Pillow's decoders raise nearly anything on bad data
            repaired = without_png_texts(self.data)
            if repaired is None and rules.jpeg_end == "optional":
                repaired = with_jpeg_end(self.data)
            if repaired is None:
                raise ImageProblem("corrupt", describe_error(error)) from error
            self.image, self.sound_data = load_repaired(repaired), repaired
        if rules.exif == "stored" and turn in UNTURN:
            self.image = turn_back(self.image, turn)
        return self.image

    def rgb(self, rules: PixelRules = OFFICIAL_RULES) -> Image.Image:
        """Return the first frame as RGB. Raises `ImageProblem`."""
        image = self.decode(rules)
        try:
            return to_rgb(image, rules)
        except UnknownSamples as error:
            raise ImageProblem("corrupt", str(error)) from error
        except Exception as error:
            raise ImageProblem("corrupt", describe_error(error)) from error


def open_image(path: str) -> Picture:
    """Read an image file, or an image in a tar, and decode its header. Raises `ImageProblem`."""
    return open_image_bytes(read_image_bytes(path))


def open_image_bytes(data: bytes) -> Picture:
    """Decode the header of an image file's content. Raises `ImageProblem`."""
    image, sound_data = read_header(data)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageProblem("too_large", f"{width}x{height} pixels, the limit is {MAX_PIXELS}")
    return Picture(
        image=image, data=data, width=width, height=height, mode=image.mode, sound_data=sound_data
    )


def read_header(data: bytes) -> tuple[Image.Image, bytes]:
    """Return the image of a file's content, whose header alone is decoded, and its bytes.

    The bytes are a repaired copy if Pillow refuses the file's own. Raises `ImageProblem`.
    """
    try:
        with PILLOW_LIMIT_LIFTED:
            return Image.open(BytesIO(data), formats=image_formats()), data
    except UnidentifiedImageError as error:
        unread = unread_format(data)
        if unread is not None:
            raise ImageProblem("unreadable", HOW_TO_READ[unread]) from error
        raise ImageProblem("corrupt", f"not an image: {describe_bytes(data)}") from error
    except Exception as error:
        repaired = without_png_texts(data)
        if repaired is None:
            raise ImageProblem("corrupt", describe_error(error)) from error
        return read_header(repaired)


def load_repaired(data: bytes) -> Image.Image:
    """Return the decoded image of a file that was repaired. Raises `ImageProblem`."""
    image, _ = read_header(data)
    try:
        with PILLOW_LIMIT_LIFTED:
            image.load()
    except Exception as error:
        raise ImageProblem("corrupt", describe_error(error)) from error
    return image


def read_image_bytes(path: str) -> bytes:
    """Return the content of a regular file or of a member of a tar.

    Raises `ImageProblem`, and `OSError` if too many files are open (`OUT_OF_FILES`).
    """
    # Without O_NONBLOCK a FIFO would block for ever before it is seen that it is no regular file.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except NotADirectoryError:
        return read_packed_image(path)
    except FileNotFoundError as error:
        raise ImageProblem("missing", f"no such file: {path}") from error
    except (OSError, UnicodeEncodeError) as error:
        raise unreadable(error) from error
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
            raise ImageProblem("unreadable", describe_error(error)) from error
    if len(data) > MAX_BYTES:  # the size of a file in /proc or /sys is 0
        raise ImageProblem("too_large", f"more than {MAX_BYTES} bytes")
    return data


def read_packed_image(path: str) -> bytes:
    """Return the content of an image inside of a tar, Parquet or Arrow file.

    Raises `ImageProblem`.
    """
    place = table_images.find_row(path)
    return read_tar_image(path) if place is None else read_table_image(path, place)


def read_table_image(path: str, place: table_images.TableRow) -> bytes:
    """Return the content of an image inside of a Parquet or Arrow file. Raises `ImageProblem`."""
    try:
        data = table_images.read_row(place)
    except OSError as error:
        raise unreadable(error) from error
    if data is None:
        raise ImageProblem("missing", f"no such file: {path}")
    if len(data) > MAX_BYTES:
        raise ImageProblem("too_large", f"{len(data)} bytes, the limit is {MAX_BYTES}")
    return data


def read_tar_image(path: str) -> bytes:
    """Return the content of an image inside of a tar. Raises `ImageProblem`."""
    try:
        member = tar_members.find_member(path)
        if member is None:
            raise ImageProblem("missing", f"no such file: {path}")
        if member.size > MAX_BYTES:
            raise ImageProblem("too_large", f"{member.size} bytes, the limit is {MAX_BYTES}")
        return tar_members.read_member(member)
    except (OSError, tarfile.TarError) as error:
        raise unreadable(error) from error


def unreadable(error: Exception) -> ImageProblem:
    """Return the problem of an image that cannot be read; `OUT_OF_FILES` are raised as they are."""
    if isinstance(error, OSError) and error.errno in OUT_OF_FILES:
        raise error
    return ImageProblem("unreadable", describe_error(error))


def describe_bytes(data: bytes) -> str:
    """Return what a file that is no image holds, for a message."""
    if not data:
        return "the file is empty"
    start = data[:SHOWN_BYTES]
    shown = " ".join(start.decode("ascii", "replace").split())
    if shown and start.isascii() and shown.isprintable():
        return f"the file starts with the text {shown!r}"
    return f"the file starts with the bytes {start.hex(' ')}"


def describe_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def image_exists(paths: ImagePaths, image: str) -> bool:
    """True if a file, a member of a tar or a row of a table has the path of this image."""
    try:
        path = paths.resolve(image)
        if (place := table_images.find_row(path)) is not None:
            return table_images.row_exists(place)
        return Path(path).is_file() or tar_members.find_member(path) is not None
    except (ImageProblem, OSError, ValueError, tarfile.TarError):
        return False
