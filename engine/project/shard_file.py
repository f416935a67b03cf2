"""Shard files: the records of one shard as JSON Lines, and a stamp that shows a later change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from engine.project.caption_log import file_digest
from engine.project.damage import Damage
from engine.utils import jsonlines, plain_files
from engine.utils.errors import BadInput

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
    """Yield the records of a shard file, each with its index.

    Raises `BadInput` if the file is missing, cannot be read or holds a line that is no record.
    """
    try:
        with plain_files.open_stream(path, "rb") as file:
            yield from read_records(file)
    except FileNotFoundError as error:
        raise BadInput(f"{path} is missing: put it back from a copy of the project") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BadInput(f"{path} {CHANGED}: {error}") from error


def read_records(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of an open shard file, each with its index.

    Raises `ValueError` for a line that is no record.
    """
    for i, line in enumerate(file):
        record = jsonlines.loads(line)
        if not isinstance(record, dict) or not isinstance(record.get("image"), str):
            raise ValueError(f"line {i + 1} is not a record")
        yield i, record


def parse_shard(data: bytes, count: int) -> list[dict[str, Any]]:
    """Return the `count` records of a whole shard file. Raises `ValueError` if these are none.

    The digest of a received shard says nothing of what is in it.
    """
    records = jsonlines.loads_lines(data)
    if len(records) != count or not all(
        isinstance(record, dict) and isinstance(record.get("image"), str) for record in records
    ):
        raise ValueError(f"these are not {count} records")
    return records


def file_stamp(status: os.stat_result) -> FileStamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def inspect_shard(path: Path, digest: str) -> FileStamp | ShardDamage:
    """Return the stamp of a shard file with this digest, or what is wrong with the file."""
    name = f"shards/{path.name}"
    try:
        stamp = file_stamp(plain_files.status(path))
        whole = file_digest(path) == digest
    except FileNotFoundError:
        return ShardDamage("shard_missing", f"{name} is missing since the input was split")
    except OSError as error:
        return ShardDamage("shard_unreadable", f"{name} cannot be read: {error.strerror}")
    return stamp if whole else ShardDamage("shard_changed", f"{name} {CHANGED}")


def shard_damage(path: Path, shard: int) -> Damage:
    """Return the damage of a shard file that is missing, or is not the one that was split."""
    kind = plain_files.kind_at(path)
    text = CHANGED if path.exists() else "is missing since the input was split"
    text = text if kind is None else f"is {kind}: remove it"
    advice = "put a copy of it back and 'mllmaug-tui retry', or make a new project with 'new'"
    return Damage(path, text, advice, shard)
