"""The records of a shard file, and whether it is still the file that was read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from engine.utils import jsonlines

Record = tuple[int, str]


Stamp = tuple[int, int, int]
"""Of a file: which one it is, and when and to what size it was last written."""


class ShardChanged(Exception):
    """The shard file was written to while its records were read."""


def read_shard(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a shard file with their places."""
    with path.open("rb") as file:
        yield from read_records(file)


def read_records(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for i, line in enumerate(file):
        yield i, jsonlines.loads(line)


def stamp_of(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size
