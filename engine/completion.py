"""When a task ends: its log is read back, and the sheared captions are written beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import captionlog, jsonlines
from engine.captionlog import Contents
from engine.shearing import Shearing, shearer


@dataclass(frozen=True, slots=True)
class Completed:
    """What the task row records of a log that is whole."""

    digest: str
    rows: int
    log_bytes: int
    log_mtime_ns: int
    captioned: int
    failed: int
    empty: int


class Incomplete(Exception):
    """The log on disk does not hold what was written to it."""


def complete(log: Path, count: int, family: str, shearing: Shearing) -> tuple[Completed, Contents]:
    """Reads the whole log back and shears it. Raises `Incomplete`, `OSError`."""
    contents = captionlog.read(log, count)
    missing = contents.flags.count(0)
    if missing:
        raise Incomplete(f"{missing} of {count} records have no row in {log.name}")
    status = log.stat()
    if status.st_size != contents.good_bytes:
        raise Incomplete(f"{log.name} ends in the middle of a row")
    captions = sheared_captions(contents, count, family, shearing)
    write_sheared(sheared_file(log, shearing, contents.digest), captions)
    completed = Completed(
        contents.digest,
        contents.rows,
        status.st_size,
        status.st_mtime_ns,
        len(contents.captions),
        len(contents.errors),
        sum(not caption for caption in captions if caption is not None),
    )
    return completed, contents


def sheared_captions(
    contents: Contents, count: int, family: str, shearing: Shearing
) -> list[str | None]:
    """One entry a record of the shard: None where it has no caption."""
    return shear_rows(contents.captions.values(), count, family, shearing)


def shear_rows(
    rows: Iterable[dict[str, Any]], count: int, family: str, shearing: Shearing
) -> list[str | None]:
    """As `sheared_captions`, of rows of a log in their order: the last of an `i` counts."""
    cut = shearer(family, shearing)
    captions: list[str | None] = [None] * count
    for row in rows:
        if "raw" in row:
            captions[row["i"]] = cut(row["raw"], row["finish"])
    return captions


def sheared_file(log: Path, shearing: Shearing, digest: str) -> Path:
    """Its name holds a hash of the settings and of the log, so that a stale one is never read."""
    return log.with_name(f"{log.stem}.sheared-{shearing.hash(digest)}.jsonl")


def write_sheared(path: Path, captions: Sequence[str | None]) -> None:
    """One line a record of the shard: its sheared caption as a JSON string, or null."""
    for stale in path.parent.glob(f"{path.name.partition('.')[0]}.sheared-*"):
        if stale != path:
            stale.unlink(missing_ok=True)
    put_sheared(path, captions, sync=True)


def put_sheared(path: Path, captions: Sequence[str | None], sync: bool) -> None:
    """Without looking for stale ones. Unsynced, power loss may leave too few lines, which are
    noticed where they are read."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(jsonlines.dumps_lines(captions))
        if sync:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)
