"""The end of a log: it is read back whole, and sheared captions are written beside a caption log.

A pure step from files to files; what becomes of the task is decided in `reconcile`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.project import caption_log
from engine.project.log_rows import HAS_CAPTION, LogContents, Wanted
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
    """Records that have a caption, or all their scores."""
    failed: int
    """Records that have an error and no caption."""
    empty: int
    """Captions of which shearing leaves nothing."""


class IncompleteLog(Exception):
    """Raised if the log on disk does not hold what was written to it."""


class NewCaptions(Exception):
    """Raised if a score log is whole, and some records have a caption that it has no score of."""

    def __init__(self, records: int) -> None:
        super().__init__(f"{records} records have captions without a score")
        self.records = records
        """The number of these records."""


def complete_log(
    log: Path, count: int, family: str, shearing: Shearing
) -> tuple[CompletedLog, LogContents]:
    """Read the whole caption log of a shard of `count` records back, and shear its captions.

    Raises `IncompleteLog` if a record has no row or the file ends in a torn row, and `OSError`.
    """
    contents = caption_log.read(log, count)
    missing = contents.flags.count(0)
    if missing:
        raise IncompleteLog(f"{missing} of {count} records have no row in {log.name}")
    status = whole_status(log, contents)
    captions = sheared_captions(contents, count, family, shearing)
    replace_sheared(sheared_path(log, shearing, contents.digest), captions)
    empty = sum(not caption for caption in captions if caption is not None)
    return completed_log(contents, status, empty), contents


def complete_score_log(
    log: Path, count: int, wanted: Wanted, rows: int
) -> tuple[CompletedLog, LogContents]:
    """Read a score log back, and see whether `wanted` has a caption that is not scored yet.

    Raises `IncompleteLog` if it has fewer than `rows` rows or ends in a torn row, `NewCaptions`,
    `OSError`.
    """
    contents = caption_log.read(log, count, wanted=wanted)
    if contents.rows < rows:
        raise IncompleteLog(f"{rows - contents.rows} of {rows} rows are not in {log.name}")
    status = whole_status(log, contents)
    completed = completed_log(contents, status, empty=0)
    if lacking := count - completed.captioned - completed.failed:
        raise NewCaptions(lacking)
    return completed, contents


def whole_status(log: Path, contents: LogContents) -> os.stat_result:
    """Return the status of a log's file. Raises `IncompleteLog`, `OSError`."""
    status = plain_files.status(log)
    if status.st_size != contents.good_bytes:
        raise IncompleteLog(f"{log.name} ends in the middle of a row")
    return status


def completed_log(contents: LogContents, status: os.stat_result, empty: int) -> CompletedLog:
    return CompletedLog(
        digest=contents.digest,
        rows=contents.rows,
        log_bytes=status.st_size,
        log_mtime_ns=status.st_mtime_ns,
        captioned=sum(bool(flags & HAS_CAPTION) for flags in contents.flags),
        failed=len(contents.errors),
        empty=empty,
    )
