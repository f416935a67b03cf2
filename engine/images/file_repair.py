"""Files whose pixels are sound although Pillow refuses them: what it stumbles over is taken away.

Nothing here changes a pixel.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}
"""Chunks of texts and colour profiles. Pillow refuses a file in which they unpack to more than a
mebibyte each, and makes no use of the profile for `convert("RGB")`."""

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
APP1, SCAN = b"\xe1", b"\xda"
"""The kinds of the JPEG segments that hold tags, and that begin the pixels."""
TAILS = (b"", b"\x00" * 256, b"\x5a\x3c\x99\x66" * 64, b"\x01\x92\xc4\x6d" * 64)
"""What is read behind the last byte of a JPEG without an end: if its pixels are all there, none of
these changes any; otherwise they become pixels that differ."""


def without_png_texts(data: bytes) -> bytes | None:
    """Return a PNG file without its texts and colour profile, or None if it has none."""
    if not data.startswith(PNG_SIGNATURE):
        return None
    parts, dropped = [PNG_SIGNATURE], False
    for kind, chunk in png_chunks(data):
        if kind in PNG_TEXTS:
            dropped = True
        else:
            parts.append(chunk)
    return b"".join(parts) if dropped else None


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the bytes of each chunk of a PNG file, the last one maybe cut short."""
    position = len(PNG_SIGNATURE)
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + length + 12
        yield data[position + 4 : position + 8], data[position:end]
        position = end


def with_jpeg_end(data: bytes) -> bytes | None:
    """Return a JPEG file with the end marker that it lacks; None if it lacks more, or nothing.

    A progressive file that ends between two scans counts as whole: it is a legal picture.
    """
    if not data.startswith(JPEG_START) or data.endswith(JPEG_END):
        return None
    body = data.removesuffix(JPEG_END[:1])
    try:
        decoded = {pixels(body + tail + JPEG_END) for tail in TAILS}
    except Exception:  # Pillow's decoders raise nearly anything on bad data
        return None
    return body + JPEG_END if len(decoded) == 1 else None


def without_jpeg_tags(data: bytes) -> bytes:
    """Return a JPEG file without its EXIF and XMP tags (APP1), which may ask for a turn."""
    parts, position = [JPEG_START], len(JPEG_START)
    while data[position : position + 1] == b"\xff" and data[position + 1 : position + 2] != SCAN:
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + length
        if data[position + 1 : position + 2] != APP1:
            parts.append(data[position:end])
        position = end
    return b"".join([*parts, data[position:]])


def pixels(data: bytes) -> bytes:
    """Return the decoded pixels of a JPEG file."""
    with Image.open(BytesIO(data), formats=["JPEG"]) as image:
        return image.tobytes()
