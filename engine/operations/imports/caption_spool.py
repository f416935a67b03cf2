"""Imported captions on their way to the caption logs: gathered by shard in a temporary file.

A file may have its captions in any order. They are kept as lines of a caption log, in memory until
there are many, then in the file, so that memory does not grow with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.protocol.caption_row import IMPORTED
from engine.utils import jsonlines

MEMORY_BYTES = 32 << 20
"""Bytes of lines that are held in memory before they are written to the file."""
ROW_END = b',"tokens":0,"finish":"stop","source":"%b"}\n' % IMPORTED.encode()
"""How the line of an imported caption ends."""


class Chunk(NamedTuple):
    """Consecutive lines of one shard in the temporary file."""

    offset: int
    size: int
    """Bytes."""
    indices: NDArray[np.int32]
    """The index of each line's record in the shard."""


def row_line(i: int, caption: str) -> bytes:
    """Return the line of a caption log for an imported caption."""
    return b'{"i":%d,"raw":%b%b' % (i, jsonlines.dumps(caption), ROW_END)


def row_lines(indices: Sequence[int], captions: Sequence[str]) -> list[bytes]:
    """Return the lines of many imported captions, those of `row_line`, in less time."""
    try:
        dumped = map(orjson.dumps, captions)
        return [
            b'{"i":%d,"raw":%b%b' % (i, text, ROW_END)
            for i, text in zip(indices, dumped, strict=True)
        ]
    except TypeError:  # for a lone surrogate
        return list(map(row_line, indices, captions))


class CaptionSpool:
    """The lines of all imported captions by shard; a context manager."""

    def __init__(self, folder: Path) -> None:
        """Make the temporary file in `folder`, where it has no name. Raises `OSError`."""
        self.file = TemporaryFile(dir=folder)  # noqa: SIM115 (closed by `__exit__`)
        self.chunks: defaultdict[int, list[Chunk]] = defaultdict(list)
        """What the file holds, by shard number."""
        self.indices: defaultdict[int, list[int]] = defaultdict(list)
        """The indices of the lines in memory, by shard number."""
        self.lines: defaultdict[int, list[bytes]] = defaultdict(list)
        """The lines in memory, by shard number."""
        self.bytes = 0
        """Bytes of the lines in memory."""

    def __enter__(self) -> CaptionSpool:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.file.close()

    def add(self, shard: int, indices: Sequence[int], lines: Sequence[bytes]) -> None:
        """Take the lines of records of one shard, in the order in which they count."""
        self.indices[shard] += indices
        self.lines[shard] += lines
        self.bytes += sum(map(len, lines))
        if self.bytes >= MEMORY_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write all lines in memory to the file. Raises `OSError`."""
        for shard, lines in self.lines.items():
            data = b"".join(lines)
            indices = np.array(self.indices[shard], np.int32)
            self.chunks[shard].append(Chunk(self.file.tell(), len(data), indices))
            self.file.write(data)
        self.lines.clear()
        self.indices.clear()
        self.bytes = 0

    def read(self, shard: int) -> tuple[list[int], list[bytes]]:
        """Return the indices and the lines of a shard, in the order in which they were added."""
        self.flush()
        indices: list[int] = []
        lines: list[bytes] = []
        for chunk in self.chunks.get(shard, ()):
            self.file.seek(chunk.offset)
            indices += chunk.indices.tolist()
            lines += self.file.read(chunk.size).splitlines(keepends=True)
        self.file.seek(0, 2)
        return indices, lines
