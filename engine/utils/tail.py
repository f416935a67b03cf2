"""The end of a log file and what is added to it, without reading the whole file."""

from __future__ import annotations

import os
from pathlib import Path

from engine.utils.plain_files import open_stream

TAIL_BYTES = 256 * 1024
"""Most bytes read from a file at a time."""
LAST_LINES_BYTES = 16 * 1024
"""Bytes at the end of a file among which its last lines are looked for."""
MAX_LINE_CHARACTERS = 4_000
"""Most characters shown of one line."""


class Tail:
    """A reader of one log file, which remembers how far it has read.

    A file that shrank or was replaced is read from its beginning.
    """

    def __init__(self, path: Path, limit: int = TAIL_BYTES) -> None:
        self.path = path
        self.limit = limit
        self.inode = -1
        self.offset = 0
        """Bytes of the file that have been read or left out."""
        self.partial_line = b""
        """The beginning of a line whose end is not written yet."""

    def read(self) -> list[str]:
        """Return the whole lines written since the last call.

        If more than `limit` bytes were written, only those of the last `limit` bytes. Raises
        `OSError`.
        """
        with open_stream(self.path, "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_ino != self.inode or status.st_size < self.offset:
                self.inode, self.offset, self.partial_line = status.st_ino, 0, b""
            cut = status.st_size - self.offset > self.limit
            if cut:
                self.offset, self.partial_line = status.st_size - self.limit, b""
            file.seek(self.offset)
            data = file.read(self.limit)
        self.offset += len(data)
        lines = (self.partial_line + data).split(b"\n")
        self.partial_line = lines.pop()[-self.limit :]
        return [line_text(line) for line in (lines[1:] if cut else lines)]


def line_text(line: bytes) -> str:
    """Return a line as text; of a progress bar, which overwrites itself, its last state."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    return text.rpartition("\r")[2][:MAX_LINE_CHARACTERS]


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a file that are not blank; none if the file is missing."""
    try:
        tail = Tail(path, LAST_LINES_BYTES)
        lines = tail.read()
    except OSError:
        return []
    return [line for line in (*lines, line_text(tail.partial_line)) if line.strip()][-count:]
