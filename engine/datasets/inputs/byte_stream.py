"""The bytes of an input file, decompressed on the way, with their position and a way back."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.utils.errors import BadInput
from engine.utils.optional_imports import extra

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Stream:
    """Reads forward. `position` counts bytes of the (decompressed) text from its start."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.file = file
        self.waiting = b""
        """Read already and given back."""
        self.position = 0

    def read(self, size: int) -> bytes:
        """`size` bytes, or fewer at the end only. Raises `BadInput`."""
        parts, missing = [self.waiting], size - len(self.waiting)
        while missing > 0 and (data := self.more(missing)):
            parts.append(data)
            missing -= len(data)
        data = b"".join(parts)
        self.waiting = data[size:]
        data = data[:size]
        self.position += len(data)
        return data

    def more(self, size: int) -> bytes:
        try:
            return self.file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.error(f"the compressed file is damaged or cut short ({error})") from error
        except OSError as error:
            if error.errno is None:  # pyarrow's codec
                raise self.error(f"the compressed file is damaged ({error})") from error
            raise

    def unread(self, data: bytes) -> None:
        self.waiting = data + self.waiting
        self.position -= len(data)

    def error(self, what: str) -> BadInput:
        return BadInput(f"{self.path}: {what} (at byte {self.position:,}): fetch or make it again")


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """The file without its byte order mark; gzip and zstd are told by their first bytes.

    Raises `BadInput`.
    """
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
            raw.seek(0)
            stream = Stream(path, decompressed(path, raw, magic))
            head = stream.read(len(BYTE_ORDER_MARK))
            if head != BYTE_ORDER_MARK:
                stream.unread(head)
            yield stream
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder, not a caption file") from error
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def decompressed(path: Path, raw: IO[bytes], magic: bytes) -> IO[bytes]:
    if magic.startswith(GZIP):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if magic == ZSTD:
        arrow = extra("pyarrow", "formats", f"{path} is compressed with zstd")
        return arrow.CompressedInputStream(raw, "zstd")  # type: ignore[no-any-return]
    return raw
