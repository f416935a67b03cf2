"""The caption log: what a model said about the records of one shard, appended row by row.

One JSON object a line in the order of arrival, `{"i", "raw", "tokens", "finish"}` or
`{"i", "error", "detail"}`; `i` is the record's place in the shard. The last caption of an `i`
counts and an error never replaces a caption. These files are the truth about captions.

A record that people gave up on has the error `excluded`: it is not asked for again, unless
a later row of it says `readmitted`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.utils import jsonlines

CAPTION_LINE = re.compile(rb'\{"i": ?(\d+), ?"raw":')
"""As `CaptionLog.append` writes it; others may put blanks in. Inside of a text the quotation
marks would be escaped."""
MOST_TOKENS = 2**31

HAS_CAPTION = 1
HAS_ERROR = 2
REDONE = 4
"""Has a row at or after the offset from which the records are being redone."""
EXCLUDED = 8
"""Has no caption, and is not to be asked for."""
EXCLUDED_KIND = "excluded"
READMITTED_KIND = "readmitted"
UNTRIED = {"error": "untried", "detail": "given up on before it was captioned"}


@dataclass(slots=True)
class Contents:
    """A caption log as read from disk."""

    captions: dict[int, dict[str, Any]] = field(default_factory=dict)
    errors: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The last error of every record that has no caption."""
    flags: bytearray = field(default_factory=bytearray)
    rows: int = 0
    foreign: int = 0
    """Whole lines that are no rows of this shard: passed over, never cut."""
    good_bytes: int = 0
    """Up to the end of the last whole line; what follows is a torn or zero-filled tail."""
    digest: str = ""


class DiskFull(OSError):
    """Nothing of what was to be appended is in the file."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.ENOSPC, text)


def read(path: Path, count: int, redo_from: int = 0) -> Contents:
    """Reads the log of a shard of `count` records; a file that is not there is an empty log."""
    contents = Contents(flags=bytearray(count))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    end = data.rfind(b"\n") + 1
    # A machine that was cut off can leave zeros where the last rows should be.
    while end and b"\0" in data[data.rfind(b"\n", 0, end - 1) + 1 : end]:
        end = data.rfind(b"\n", 0, end - 1) + 1
    contents.good_bytes = end
    offset = 0
    for line in data[:end].splitlines(keepends=True):
        row = parse(line, count)
        if row is None:
            contents.foreign += 1
        else:
            note(contents, row, fresh=offset >= redo_from)
        offset += len(line)
    contents.digest = digest(data[:end])
    return contents


def read_known(path: Path, log_digest: str, rows: int) -> list[dict[str, Any]] | None:
    """The rows, in order, of a log that was read back when its task ended.

    None if it is not that log any more or holds other lines than these rows. Faster than `read`,
    which trusts no line. Raises `OSError`.
    """
    data = path.read_bytes()
    if data.count(b"\n") != rows or digest(data) != log_digest:
        return None
    return jsonlines.loads_lines(data)


def captioned(data: bytes) -> set[int]:
    """The records that a log's bytes have captions of, by the look of the lines alone."""
    return set(map(int, CAPTION_LINE.findall(data)))


def rows_of(data: bytes, count: int, wanted: set[int]) -> Contents:
    """As `read`, of these records only: a hundred times faster where they are few."""
    contents = Contents(flags=bytearray(count))
    line_of_wanted = rb'\{"i": ?(?:%s),[^\n]*' % "|".join(map(str, wanted)).encode()
    for line in re.findall(line_of_wanted, data):
        row = parse(line, count)
        if row is not None:
            note(contents, row, fresh=True)
    return contents


def parse(line: bytes, count: int) -> dict[str, Any] | None:
    """The row of a line, None if it is not one of this shard."""
    try:
        row = jsonlines.loads(line)
    except ValueError:
        return None
    return row if is_row(row, count) else None


def is_row(row: Any, count: int) -> bool:
    if not isinstance(row, dict) or type(row.get("i")) is not int or not 0 <= row["i"] < count:
        return False
    if "raw" not in row:
        return isinstance(row.get("error"), str)
    return (
        isinstance(row["raw"], str)
        and type(row.get("tokens")) is int
        and 0 <= row["tokens"] < MOST_TOKENS
        and isinstance(row.get("finish"), str)
    )


def note(contents: Contents, row: dict[str, Any], fresh: bool) -> None:
    i = row["i"]
    contents.rows += 1
    if "raw" in row:
        contents.captions[i] = row
        contents.errors.pop(i, None)
        contents.flags[i] = contents.flags[i] & ~EXCLUDED | HAS_CAPTION
    else:
        contents.flags[i] |= HAS_ERROR
        if i not in contents.captions:
            contents.errors[i] = row
            contents.flags[i] = with_exclusion(contents.flags[i], row)
    if fresh:
        contents.flags[i] |= REDONE


def with_exclusion(flag: int, row: dict[str, Any]) -> int:
    """The flags of a record without a caption after this row about it."""
    return flag | EXCLUDED if row["error"] == EXCLUDED_KIND else flag & ~EXCLUDED


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class CaptionLog:
    """A log that is being appended to. Only the supervisor has one."""

    def __init__(self, path: Path, count: int, redo: str = "all", redo_from: int = 0) -> None:
        """Opens the log, cuts a torn tail, and learns what is there.

        Raises `OSError`.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        found = read(path, count, redo_from)
        self.path = path
        self.count = count
        self.redo = redo
        self.foreign = found.foreign
        self.flags = found.flags
        self.rows = found.rows
        self.errors = found.errors
        self.captioned = len(found.captions)
        self.left = sum(self.wants(flag) for flag in self.flags)
        self.unsynced = 0
        self.new = not path.exists()
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self.size = os.lseek(self.file, 0, os.SEEK_END)
        if self.size != found.good_bytes:
            os.ftruncate(self.file, found.good_bytes)
            self.size = os.lseek(self.file, 0, os.SEEK_END)

    def wants(self, flag: int) -> bool:
        """Whether a record with these flags is to be asked for."""
        return not flag & (REDONE | EXCLUDED) and not (self.redo == "failed" and flag & HAS_CAPTION)

    def missing(self, i: int) -> bool:
        return self.wants(self.flags[i])

    @property
    def failed(self) -> int:
        return len(self.errors)

    def append(self, rows: Iterable[dict[str, Any]]) -> int:
        """Writes the rows that are still missing and returns how many they were.

        The rows are in the file when this returns, or, with an `OSError`, none of them is.
        """
        fresh: dict[int, dict[str, Any]] = {}
        for row in rows:
            if self.missing(row["i"]):
                fresh.setdefault(row["i"], row)
        if not fresh:
            return 0
        self.write(b"".join(jsonlines.dumps(row) + b"\n" for row in fresh.values()))
        for i, row in fresh.items():
            had_caption = self.flags[i] & HAS_CAPTION
            if "raw" in row:
                self.captioned += not had_caption
                self.errors.pop(i, None)
                self.flags[i] |= HAS_CAPTION | REDONE
            else:
                self.flags[i] |= HAS_ERROR | REDONE
                if not had_caption:
                    self.errors[i] = row
        self.left -= len(fresh)
        self.rows += len(fresh)
        self.unsynced += len(fresh)
        return len(fresh)

    def exclude(self, records: Iterable[int], exclude: bool = True) -> int:
        """Gives up on records without a caption, or takes them back; returns how many changed.

        Raises `DiskFull`, and then nothing changed.
        """
        rows: dict[int, dict[str, Any]] = {}
        for i in records:
            if not 0 <= i < self.count or self.flags[i] & HAS_CAPTION:
                continue
            error = self.errors.get(i, UNTRIED)
            if exclude == (error["error"] == EXCLUDED_KIND) or (not exclude and error is UNTRIED):
                continue
            if exclude:
                was = f"{error['error']}: {error.get('detail', '')}"
                rows[i] = {"i": i, "error": EXCLUDED_KIND, "detail": was}
            else:
                rows[i] = {"i": i, "error": READMITTED_KIND, "detail": error.get("detail", "")}
        if not rows:
            return 0
        self.write(b"".join(jsonlines.dumps(row) + b"\n" for row in rows.values()))
        for i, row in rows.items():
            self.errors[i] = row
            self.flags[i] = with_exclusion(self.flags[i], row) | HAS_ERROR | REDONE
        self.left = sum(self.wants(flag) for flag in self.flags)
        self.rows += len(rows)
        self.unsynced += len(rows)
        return len(rows)

    def write(self, data: bytes) -> None:
        """A full disk gives a short write without an exception: the part is taken back."""
        written = 0
        try:
            written = os.write(self.file, data)
        finally:
            if written < len(data):
                os.ftruncate(self.file, self.size)
                os.lseek(self.file, self.size, os.SEEK_SET)
        if written < len(data):
            raise DiskFull(f"only {written} of {len(data)} bytes fitted into {self.path}")
        self.size += written

    def sync(self) -> None:
        if self.unsynced:
            os.fsync(self.file)
            self.unsynced = 0
        if self.new:
            sync_folder(self.path.parent)
            self.new = False

    def close(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


def sync_folder(folder: Path) -> None:
    """Makes a new or renamed file's entry outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
