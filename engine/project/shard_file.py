"""Shard files: the records of one shard as JSON Lines, and a stamp that shows a later change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from engine.project.caption_log import file_digest
from engine.utils import jsonlines

IndexedImage = tuple[int, str]
"""The index of a record in its shard, and its image as the input names it."""

FileStamp = tuple[int, int, int]
"""Inode, time of the last write (nanoseconds) and size (bytes) of a file. A file that was written
to or replaced has another stamp."""


CHANGED = "was changed since the input was split"
"""How the text about a shard file ends that is not the one that was split."""


class ShardDamage(NamedTuple):
    """What is wrong with a shard file."""

    cause: Literal["shard_missing", "shard_unreadable", "shard_changed"]
    text: str


class ShardChanged(Exception):
    """The shard file was written to while its records were read."""


def read_shard(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a shard file, each with its index. Raises `OSError`, `ValueError`."""
    with path.open("rb") as file:
        yield from read_records(file)


def read_records(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of an open shard file, each with its index.

    Raises `ValueError` for a line that is no record.
    """
    for i, line in enumerate(file):
        record = jsonlines.loads(line)
        if not isinstance(record, dict) or not isinstance(record.get("image"), str):
            raise ValueError(f"line {i + 1} is no record")
        yield i, record


def file_stamp(status: os.stat_result) -> FileStamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def inspect_shard(path: Path, digest: str) -> FileStamp | ShardDamage:
    """Return the stamp of a shard file with this digest, or what is wrong with the file."""
    name = f"shards/{path.name}"
    try:
        stamp = file_stamp(path.stat())
        whole = file_digest(path) == digest
    except FileNotFoundError:
        return ShardDamage("shard_missing", f"{name} is missing since the input was split")
    except OSError as error:
        return ShardDamage("shard_unreadable", f"{name} cannot be read: {error.strerror}")
    return stamp if whole else ShardDamage("shard_changed", f"{name} {CHANGED}")
