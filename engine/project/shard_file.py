"""Shard files: the records of one shard as JSON Lines, and a stamp that shows a later change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from engine.utils import jsonlines

IndexedImage = tuple[int, str]
"""The index of a record in its shard, and its image as the input names it."""

FileStamp = tuple[int, int, int]
"""Inode, time of the last write (nanoseconds) and size (bytes) of a file. A file that was written
to or replaced has another stamp."""


class ShardChanged(Exception):
    """The shard file was written to while its records were read."""


def read_shard(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a shard file, each with its index. Raises `OSError`, `ValueError`."""
    with path.open("rb") as file:
        yield from read_records(file)


def read_records(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of an open shard file, each with its index."""
    for i, line in enumerate(file):
        yield i, jsonlines.loads(line)


def file_stamp(status: os.stat_result) -> FileStamp:
    return status.st_ino, status.st_mtime_ns, status.st_size
