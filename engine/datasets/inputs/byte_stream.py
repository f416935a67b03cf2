"""The bytes of an input file as a stream, decompressed on the way."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from engine.datasets.inputs.input_report import CutShort
from engine.utils.errors import BadInput
from engine.utils.optional_imports import import_extra

GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file."""
ZSTD = b"\x28\xb5\x2f\xfd"
"""The first bytes of a zstd file."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The UTF-8 byte order mark, which some programs write before a text."""


PIECE_BYTES = 1 << 16
"""Most bytes that are read at once: pyarrow loses those before the place where a file is cut."""
TRUNCATED = "Truncated compressed stream"
"""What pyarrow says of a compressed file that ends in the middle."""


class ReadableOnce(Protocol):
    """A file of which bytes can be read."""

    def read1(self, size: int) -> bytes:
        """Return at most `size` bytes, by one read of what lies below; none at the end."""


class ByteStream:
    """An input file that is read forward, and can take back what was read too far."""

    def __init__(self, path: Path, file: ReadableOnce) -> None:
        self.path = path
        self.file = file
        self.pushed_back = b""
        """Bytes that were read and pushed back, to be read again."""
        self.position = 0
        """The offset of the next byte, in the decompressed text."""
        self.is_cut = False
        """True once a compressed file has ended in the middle."""

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end only. Raises `BadInput`.

        Of a compressed file that is cut short, all that can be read comes before the `CutShort`.
        """
        parts, missing = [self.pushed_back], size - len(self.pushed_back)
        while missing > 0 and not self.is_cut and (data := self.read_file(missing)):
            parts.append(data)
            missing -= len(data)
        data = b"".join(parts)
        self.pushed_back = data[size:]
        data = data[:size]
        self.position += len(data)
        if self.is_cut and not data:
            raise CutShort(str(self.error("the compressed file is cut short, and its text ends")))
        return data

    def read_file(self, size: int) -> bytes:
        """Return at most `size` bytes of the file, none at the end. Raises `BadInput`."""
        try:
            return self.file.read1(min(size, PIECE_BYTES))
        except EOFError:
            self.is_cut = True
            return b""
        except (zlib.error, gzip.BadGzipFile) as error:
            raise self.error(f"the compressed file is damaged ({error})") from error
        except OSError as error:
            if error.errno is not None:
                raise
            if str(error) == TRUNCATED:
                self.is_cut = True
                return b""
            raise self.error(f"the compressed file is damaged ({error})") from error  # pyarrow's

    def push_back(self, data: bytes) -> None:
        """Take back the last bytes that were read."""
        self.pushed_back = data + self.pushed_back
        self.position -= len(data)

    def error(self, message: str) -> BadInput:
        """Return the error that something is wrong at the present position."""
        return BadInput(
            f"{self.path}: {message} (at byte {self.position:,}): fetch or make it again"
        )


@contextmanager
def open_stream(path: Path) -> Iterator[ByteStream]:
    """Open a file without its byte order mark; gzip and zstd are known by their first bytes.

    Raises `BadInput`.
    """
    try:
        with path.open("rb") as raw:
            first_bytes = raw.read(4)
            raw.seek(0)
            stream = ByteStream(path, decompressed(path, raw, first_bytes))
            head = stream.read(len(BYTE_ORDER_MARK))
            if head != BYTE_ORDER_MARK:
                stream.push_back(head)
            yield stream
    except IsADirectoryError as error:
        raise BadInput(f"{path} is a folder, not a caption file") from error
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def decompressed(path: Path, raw: BufferedReader, first_bytes: bytes) -> ReadableOnce:
    """Return the file as it reads decompressed; a plain file is returned as it is."""
    if first_bytes.startswith(GZIP):
        return gzip.GzipFile(fileobj=raw)
    if first_bytes == ZSTD:
        arrow = import_extra("pyarrow", "formats", f"{path} is compressed with zstd")
        return arrow.CompressedInputStream(raw, "zstd")  # type: ignore[no-any-return]
    return raw
