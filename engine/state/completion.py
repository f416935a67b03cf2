"""The end of a caption log: it is read back whole, and its sheared captions are written beside it.

A pure step from files to files; what becomes of the task is decided in `reconcile`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.project import caption_log
from engine.project.log_rows import LogContents
from engine.project.sheared_file import (
    replace_sheared,
    sheared_captions,
    sheared_path,
)
from engine.shearing.shear import Shearing
from engine.utils import plain_files


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedLog:
    """The facts of a whole log that its task row records: fields of `TaskRow` by the same names."""

    digest: str
    """Digest of the log's bytes, by which a later change of the file is noticed."""
    rows: int
    """Rows in the log, repeated ones included."""
    log_bytes: int
    log_mtime_ns: int
    captioned: int
    """Records that have a caption."""
    failed: int
    """Records that have an error and no caption."""
    empty: int
    """Captions of which shearing leaves nothing."""


class IncompleteLog(Exception):
    """Raised if the log on disk does not hold what was written to it."""


def complete_log(
    log: Path, count: int, family: str, shearing: Shearing
) -> tuple[CompletedLog, LogContents]:
    """Read the whole log of a shard of `count` records back, and write its sheared captions.

    Raises `IncompleteLog` if a record has no row or the file ends in a torn row, and `OSError`.
    """
    contents = caption_log.read(log, count)
    missing = contents.flags.count(0)
    if missing:
        raise IncompleteLog(f"{missing} of {count} records have no row in {log.name}")
    status = plain_files.status(log)
    if status.st_size != contents.good_bytes:
        raise IncompleteLog(f"{log.name} ends in the middle of a row")
    captions = sheared_captions(contents, count, family, shearing)
    replace_sheared(sheared_path(log, shearing, contents.digest), captions)
    completed = CompletedLog(
        digest=contents.digest,
        rows=contents.rows,
        log_bytes=status.st_size,
        log_mtime_ns=status.st_mtime_ns,
        captioned=len(contents.captions),
        failed=len(contents.errors),
        empty=sum(not caption for caption in captions if caption is not None),
    )
    return completed, contents
