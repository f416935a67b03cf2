"""The log of one task: what a model wrote about the records of one shard, appended row by row.

A captioner's is a caption log, a scorer's a score log; they differ in their rows alone.

The form of a row, and which records are asked again, is in `engine.project.log_rows`. Rows stand in
the order in which they arrived. These files are the truth about captions: database and sheared
files are made from them.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.project.log_rows import (
    AGAIN,
    ALL_FLAGS,
    EXCLUDED,
    EXCLUDED_KIND,
    HAS_CAPTION,
    HAS_ERROR,
    READMITTED_KIND,
    REDONE,
    UNTRIED_KIND,
    LogContents,
    Wanted,
    parse_log,
    with_exclusion,
)
from engine.protocol.caption_row import (
    AskedAgainRow,
    CaptionRow,
    ErrorRow,
    Row,
    ScoreRow,
    row_fields,
)
from engine.utils import jsonlines
from engine.utils.plain_files import make_folder, open_file, open_folder, open_stream, read_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCounts:
    """Counts of what a caption log holds: fields of `TaskRow` by the same names."""

    captioned: int
    """Records that have a caption."""
    failed: int
    """Records that have an error and no caption."""
    left: int
    """Records that are still to be captioned, or to be captioned again."""
    rows: int
    """Rows in the log, repeated ones included."""
    log_bytes: int
    """Size of the log in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedState:
    """A caption log as it was when it was last synced, to which a failed sync takes it back."""

    counts: LogCounts
    flags: bytes
    errors: dict[int, ErrorRow]
    asked_again: dict[int, AskedAgainRow]


class DiskFull(OSError):
    """The disk is full; no byte of what was to be appended is in the file."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.ENOSPC, text)


def read(path: Path, count: int, redo_from: int = 0, wanted: Wanted | None = None) -> LogContents:
    """Read the log of a shard of `count` records. A file that does not exist is an empty log.

    Rows at or after the offset `redo_from`, in bytes, get the flag REDONE. `wanted` are the texts
    that a scorer is to score; None for a captioner. Raises `OSError`.
    """
    return parse_log(read_if_there(path), count, redo_from, wanted)


def read_if_there(path: Path) -> bytes:
    """Return the bytes of a log, none if it does not exist. Raises `OSError`."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return b""


def file_digest(path: Path) -> str:
    """Return the `digest` of a file, read in pieces. Raises `OSError`."""
    with open_stream(path, "rb") as file:
        blake2b = hashlib.file_digest(
            file,  # type: ignore[arg-type]  # every stream of bytes has the `readinto` it asks for
            lambda: hashlib.blake2b(digest_size=16),
        )
        return blake2b.hexdigest()


def needs_row(flags: int, redo: str) -> bool:
    """Return True if a record with these flags is still to be captioned.

    `redo` is that of `CaptionLog`.
    """
    if flags & AGAIN:
        return True
    return not flags & (REDONE | EXCLUDED) and not (redo == "failed" and flags & HAS_CAPTION)


def count_flags(flags: bytearray, condition: Callable[[int], bool]) -> int:
    """Return the number of records whose flags meet a condition."""
    return sum(flags.count(value) for value in range(ALL_FLAGS + 1) if condition(value))


def counts_of(contents: LogContents, redo: str) -> LogCounts:
    """Return the counts of a log with these contents; `redo` is that of `CaptionLog`."""
    return LogCounts(
        captioned=count_flags(contents.flags, lambda flags: bool(flags & HAS_CAPTION)),
        failed=len(contents.errors),
        left=count_flags(contents.flags, lambda flags: needs_row(flags, redo)),
        rows=contents.rows,
        log_bytes=contents.good_bytes,
    )


class CaptionLog:
    """A caption log that is open for appending. Only the holder of the project's lock has one."""

    def __init__(
        self,
        path: Path,
        count: int,
        redo: str = "all",
        redo_from: int = 0,
        wanted: Wanted | None = None,
    ) -> None:
        """Open the log of a shard of `count` records, cut a torn tail, and count what is there.

        Every whole line is written again and synced. Whoever wrote it may have been killed before a
        sync, or a sync of theirs may have failed: then the kernel still shows the rows, but holds
        them to be on the disk, and a sync alone would write nothing.

        `redo` says which records without a row at or after the offset `redo_from` are captioned
        again: "all", or only those that "failed". `wanted` is that of `read`. Raises `OSError`.
        """
        make_folder(path.parent)
        data = read_if_there(path)
        contents = parse_log(data, count, redo_from, wanted)
        self.path = path
        self.count = count
        """The number of records in the shard."""
        self.redo = redo
        self.foreign = contents.foreign
        """The number of lines that are no rows of this shard."""
        self.flags = contents.flags
        """One byte per record; see `log_rows`."""
        self.rows = contents.rows
        """The number of all rows, also of those that later rows replaced."""
        self.errors = contents.errors
        """The last error row of every record that has no caption, by its index."""
        self.asked_again = contents.asked_again
        """How records with the flag AGAIN are asked again, by index."""
        self.scores = contents.scores
        """The scores that a score log held when it was opened, as `LogContents` has them."""
        counts = counts_of(contents, redo)
        self.captioned = counts.captioned
        """The number of records that have a caption, or all their scores."""
        self.left = counts.left
        """The number of records that are still to be captioned."""
        self.unsynced = self.rows + self.foreign
        """The number of lines that may be lost in a power cut."""
        self.entry_synced = False
        """True once the entries of the file and of its folder are synced. A process that was killed
        may have made them and not come to that."""
        self.file = open_file(path, os.O_WRONLY | os.O_CREAT)
        """The file descriptor; -1 once the log is closed."""
        self.size = os.lseek(self.file, 0, os.SEEK_END)
        """The bytes of the file that count."""
        self.has_remains = self.size != contents.good_bytes
        """True if bytes that do not count may lie beyond `size`."""
        self.size = contents.good_bytes
        self.synced = self.state()
        try:
            self.cut_remains()
            if self.unsynced:
                self.write_again(data[: self.size])
                self.sync()
        except OSError:
            self.close()
            raise

    def missing(self, i: int) -> bool:
        """True if the record with index `i` is still to be captioned."""
        return needs_row(self.flags[i], self.redo)

    def count_left(self) -> int:
        """Return the number of records that are still to be captioned, by their flags."""
        return count_flags(self.flags, lambda flags: needs_row(flags, self.redo))

    @property
    def failed(self) -> int:
        """The number of records that have an error and no caption."""
        return len(self.errors)

    @property
    def counts(self) -> LogCounts:
        """What the log holds now."""
        return LogCounts(
            captioned=self.captioned,
            failed=self.failed,
            left=self.left,
            rows=self.rows,
            log_bytes=self.size,
        )

    def append(self, rows: Iterable[Row]) -> int:
        """Write the rows of records that are still missing, and return the number written.

        A row of scores has one for each text that the record lacked. The rows are in the file when
        this returns; if it raises `OSError`, none of them is.
        """
        new_rows: dict[int, Row] = {}
        for row in rows:
            if self.missing(row.i):
                new_rows.setdefault(row.i, row)
        if not new_rows:
            return 0
        self.write(to_lines(new_rows.values()))
        for i, row in new_rows.items():
            had_caption = self.flags[i] & HAS_CAPTION
            self.flags[i] &= ~AGAIN
            self.asked_again.pop(i, None)
            if isinstance(row, CaptionRow | ScoreRow):
                self.captioned += not had_caption
                self.errors.pop(i, None)
                self.flags[i] |= HAS_CAPTION | REDONE
            else:
                self.flags[i] |= HAS_ERROR | REDONE
                if not had_caption:
                    self.errors[i] = row
        self.left -= len(new_rows)
        self.rows += len(new_rows)
        self.unsynced += len(new_rows)
        return len(new_rows)

    def append_lines(self, lines: Mapping[int, bytes]) -> None:
        """Append lines of caption rows, by index, also for records that are not asked for.

        The lines are in the file when this returns; if it raises `OSError`, none of them is.
        """
        self.write(b"".join(lines.values()))
        for i in lines:
            self.flags[i] = self.flags[i] & ~(EXCLUDED | AGAIN) | HAS_CAPTION | REDONE
            self.asked_again.pop(i, None)
        for i in self.errors.keys() & lines.keys():
            del self.errors[i]
        self.captioned = count_flags(self.flags, lambda flags: bool(flags & HAS_CAPTION))
        self.left = self.count_left()
        self.rows += len(lines)
        self.unsynced += len(lines)

    def ask_again(self, rows: Iterable[AskedAgainRow]) -> int:
        """Have records asked again that have a caption; return the number of them.

        The row of a record that waits to be asked again replaces the one that it has. Raises
        `DiskFull`, and then nothing changed.
        """
        new = {row.i: row for row in rows if self.may_ask_again(row)}
        if not new:
            return 0
        self.write(to_lines(new.values()))
        for i, row in new.items():
            self.flags[i] |= HAS_ERROR | REDONE | AGAIN
            self.asked_again[i] = row
        self.left = self.count_left()
        self.rows += len(new)
        self.unsynced += len(new)
        return len(new)

    def may_ask_again(self, row: AskedAgainRow) -> bool:
        """Return True if a row asks for a record that has a caption, and that is not asked for
        anyway or only in another way."""
        i = row.i
        if not 0 <= i < self.count or not self.flags[i] & HAS_CAPTION:
            return False
        return self.asked_again[i] != row if i in self.asked_again else not self.missing(i)

    def exclude(self, records: Iterable[int], exclude: bool = True) -> int:
        """Exclude records without a caption, or take them back; return the number changed.

        `records` are indices in the shard. Raises `DiskFull`, and then nothing changed.
        """
        rows: dict[int, ErrorRow] = {}
        for i in records:
            if not 0 <= i < self.count or self.flags[i] & HAS_CAPTION:
                continue
            error = self.errors.get(i) or ErrorRow(
                i, UNTRIED_KIND, "excluded before it was captioned"
            )
            excluded = error.error == EXCLUDED_KIND
            if exclude and not excluded:
                rows[i] = ErrorRow(i, EXCLUDED_KIND, f"{error.error}: {error.detail}")
            elif excluded and not exclude:
                rows[i] = ErrorRow(i, READMITTED_KIND, error.detail)
        if not rows:
            return 0
        self.write(to_lines(rows.values()))
        for i, row in rows.items():
            self.errors[i] = row
            self.flags[i] = with_exclusion(self.flags[i], row) | HAS_ERROR | REDONE
        self.left = self.count_left()
        self.rows += len(rows)
        self.unsynced += len(rows)
        return len(rows)

    def write(self, data: bytes) -> None:
        """Append bytes, all or none of them. Raises `DiskFull`, `OSError`."""
        self.cut_remains()  # of an earlier write, which could not be cut then
        written = 0
        try:
            written = os.write(self.file, data)
        finally:
            # A full disk gives a short write without an exception: the part is taken back.
            if written < len(data):
                self.cut(self.size)
        if written < len(data):
            raise DiskFull(f"only {written} of {len(data)} bytes fitted into {self.path}")
        self.size += written

    def write_again(self, data: bytes) -> None:
        """Write the bytes that were read once more in their place, so that a sync writes them."""
        if os.pwrite(self.file, data, 0) < len(data):
            raise OSError(errno.EIO, f"{self.path} could not be written again")

    def cut(self, size: int) -> None:
        """Take away what lies beyond so many bytes. Raises `OSError`.

        It is synced: after a power cut no sector of what lay there may stand within a later row. If
        that fails, rows that were not synced are taken away, too, as after any failed sync.
        """
        self.has_remains = True
        os.ftruncate(self.file, size)
        os.lseek(self.file, size, os.SEEK_SET)
        try:
            os.fsync(self.file)
        except OSError:
            self.forget_unsynced()
            with suppress(OSError):
                os.ftruncate(self.file, self.size)
            raise
        self.has_remains = False

    def cut_remains(self) -> None:
        """Take away bytes that do not count. Raises `OSError`."""
        if self.has_remains:
            self.cut(self.size)

    def sync(self) -> None:
        """Make the rows written so far, and the file itself, outlive a power cut.

        If it raises `OSError`, the log is what it was when it was last synced: the kernel writes
        what a failed sync left behind at no later sync. Rows stay only in a folder that was moved.
        """
        try:
            if self.unsynced:
                os.fsync(self.file)
            if not self.entry_synced:
                sync_folder(self.path.parent)
                sync_folder(self.path.parent.parent)
                self.entry_synced = True
        except FileNotFoundError:
            raise
        except OSError:
            self.take_back()
            raise
        if self.unsynced:
            self.unsynced = 0
            self.synced = self.state()

    def state(self) -> SyncedState:
        """Return a copy of what the log holds now."""
        return SyncedState(
            counts=self.counts,
            flags=bytes(self.flags),
            errors=dict(self.errors),
            asked_again=dict(self.asked_again),
        )

    def take_back(self) -> None:
        """Take away, and count no more, what was written since the last sync."""
        self.forget_unsynced()
        with suppress(OSError):  # then the next write cuts it, or the next opening counts it
            self.cut(self.size)

    def forget_unsynced(self) -> None:
        """Count no more what was written since the last sync; the bytes may stay as remains."""
        counts = self.synced.counts
        self.captioned, self.left = counts.captioned, counts.left
        self.rows, self.size = counts.rows, counts.log_bytes
        self.flags, self.errors = bytearray(self.synced.flags), dict(self.synced.errors)
        self.asked_again = dict(self.synced.asked_again)
        self.unsynced = 0

    def close(self) -> None:
        """Close the file without syncing it; a second call does nothing."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


def to_lines(rows: Iterable[Row]) -> bytes:
    """Return the lines of a log that hold these rows."""
    return b"".join(jsonlines.dumps(row_fields(row)) + b"\n" for row in rows)


def sync_folder(folder: Path) -> None:
    """Make the entry of a new or renamed file in `folder` outlive a power cut."""
    handle = open_folder(folder)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
