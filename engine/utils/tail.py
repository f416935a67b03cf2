"""The end of a log file, and what is added to it: never the whole file."""

from __future__ import annotations

import os
from pathlib import Path

TAIL_BYTES = 256 * 1024
LONGEST_LINE = 4_000
"""Characters shown of one line."""


class Tail:
    """Reads what is new since the last look. A file that shrank or was replaced is begun anew."""

    def __init__(self, path: Path, limit: int = TAIL_BYTES) -> None:
        self.path = path
        self.limit = limit
        self.inode = -1
        self.at = 0
        self.rest = b""
        """The beginning of a line whose end is not written yet."""

    def read(self) -> list[str]:
        """New whole lines, of much news the last `limit` bytes. Raises `OSError`."""
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_ino != self.inode or status.st_size < self.at:
                self.inode, self.at, self.rest = status.st_ino, 0, b""
            cut = status.st_size - self.at > self.limit
            if cut:
                self.at, self.rest = status.st_size - self.limit, b""
            file.seek(self.at)
            data = file.read(self.limit)
        self.at += len(data)
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()[-self.limit :]
        return [clean(line) for line in (lines[1:] if cut else lines)]


def clean(line: bytes) -> str:
    """As text; of a progress bar, which writes over itself, what it said last."""
    said = line.decode("utf-8", "replace").rstrip("\r")
    return said.rpartition("\r")[2][:LONGEST_LINE]


def last_lines(path: Path, count: int, limit: int = 16 * 1024) -> list[str]:
    """None are there where there is no file."""
    try:
        tail = Tail(path, limit)
        lines = tail.read()
    except OSError:
        return []
    return [line for line in (*lines, clean(tail.rest)) if line.strip()][-count:]
