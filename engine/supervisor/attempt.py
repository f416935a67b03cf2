"""One attempt at a task: which records are with the worker, and what came back."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from db.rows import FailureRow, ModelRow, ShardRow, TaskRow
from engine.project.caption_log import CaptionLog, is_row
from engine.project.shard_file import (
    Record,
    ShardChanged,
    Stamp,
    read_records,
    stamp_of,
)
from engine.protocol.messages import Message
from engine.state.failure_rows import group_failures
from engine.state.task_ledger import LogCounts


@dataclass(slots=True)
class Attempt:
    """The suspects go one at a time: records that were with a worker when it died first, records
    that were with a server when it went away last, so that they hold up no others."""

    task: TaskRow
    model: ModelRow
    shard: ShardRow
    log: CaptionLog
    file: BinaryIO
    """The shard."""
    stamp: Stamp
    """Of the shard when its digest was found right."""
    feed: Iterator[Record]
    alone: deque[Record] = field(default_factory=deque)
    at_last: deque[Record] = field(default_factory=deque)
    """Suspects of a server, which is asked about nothing else then."""
    outstanding: set[int] = field(default_factory=set)
    originals: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Image and original caption of the outstanding records."""
    touched: set[int] = field(default_factory=set)
    """Outstanding records that the worker said it would decode or generate."""
    isolated_record: int | None = None
    """The suspect that is with the worker now."""
    rows: int = 0
    exhausted: bool = False
    synced: float = field(default_factory=time.monotonic)

    @property
    def number(self) -> int:
        return self.task.attempt

    @property
    def key(self) -> tuple[int, int]:
        """Task and number."""
        return self.task.id, self.task.attempt

    @property
    def counts(self) -> LogCounts:
        log = self.log
        return LogCounts(log.captioned, log.failed, log.left, log.rows, log.size)

    @property
    def isolating(self) -> bool:
        """Whether all that is left are suspects of a server."""
        return self.exhausted and (bool(self.at_last) or self.isolated_record is not None)

    def next_records(self, chunk: int) -> Message | None:
        """What to send the worker now, if anything. Raises `ShardChanged`."""
        suspects = self.at_last if self.exhausted else self.alone
        if suspects or self.isolated_record is not None:
            if self.outstanding:
                return None
            self.isolated_record = None
        if suspects:
            i, image = suspects.popleft()
            self.isolated_record = i
            return self.message([(i, image)], last=self.exhausted, alone=True)
        if self.exhausted or len(self.outstanding) >= chunk:
            return None
        records: list[Record] = []
        for record in self.feed:
            records.append(record)
            if len(records) >= chunk:
                break
        self.exhausted = len(records) < chunk
        if not records and not self.outstanding:
            return None
        return self.message(records, last=self.exhausted, alone=False)

    def message(self, records: Sequence[Record], last: bool, alone: bool) -> Message:
        # After they were read: what was written before that would show in the stamp.
        if stamp_of(os.fstat(self.file.fileno())) != self.stamp:
            raise ShardChanged
        self.outstanding.update(i for i, _ in records)
        return {
            "type": "records",
            "task": self.task.id,
            "attempt": self.number,
            "first": self.shard.first,
            "records": records,
            "last": last,
            "alone": alone,
        }

    def accept(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Appends what was asked for to the log and returns it. Raises `DiskFull`."""
        wanted = [
            row for row in rows if is_row(row, self.log.count) and row["i"] in self.outstanding
        ]
        self.rows += self.log.append(wanted)
        for row in wanted:
            self.outstanding.discard(row["i"])
            self.touched.discard(row["i"])
        return wanted

    def close(self) -> None:
        self.log.close()
        self.file.close()

    def failures(self) -> list[FailureRow]:
        return group_failures(self.task.id, self.log.errors)


def begin(
    task: TaskRow,
    model: ModelRow,
    shard: ShardRow,
    shard_file: Path,
    stamp: Stamp,
    log_file: Path,
    suspects: Sequence[int] = (),
    at_last: Sequence[int] = (),
) -> Attempt:
    """Opens the log and lines up what is missing in it. Raises `OSError`, `ShardChanged`."""
    file = shard_file.open("rb")
    try:
        log = CaptionLog(log_file, shard.count, task.redo, task.redo_from)
    except OSError:
        file.close()
        raise
    attempt = Attempt(task, model, shard, log, file, stamp, iter(()))
    suspected = {i for i in (*suspects, *at_last) if log.missing(i)}

    def remember(i: int, record: dict[str, Any]) -> Record:
        caption = record.get("caption")
        attempt.originals[i] = (record["image"], caption if isinstance(caption, str) else "")
        return i, record["image"]

    def feed() -> Iterator[Record]:
        file.seek(0)
        for i, record in read_records(file):
            if log.missing(i) and i not in suspected:
                yield remember(i, record)

    if suspected:
        found = {i: record for i, record in read_records(file) if i in suspected}
        first = [i for i in suspects if i in found and i not in at_last]
        attempt.alone.extend(remember(i, found[i]) for i in first)
        attempt.at_last.extend(remember(i, found[i]) for i in at_last if i in found)
    attempt.feed = feed()
    return attempt
