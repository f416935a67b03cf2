"""When a task ends: its log is read back, and the sheared captions are written beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.project import caption_log
from engine.project.caption_log import Contents
from engine.project.sheared_file import (
    sheared_captions,
    sheared_file,
    write_sheared,
)
from engine.shearing.shear import Shearing


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
    contents = caption_log.read(log, count)
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
