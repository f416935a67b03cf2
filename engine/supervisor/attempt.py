"""One attempt at a task: which records are with the worker, and which rows came back.

An attempt belongs to one worker and ends with it. What becomes of its task afterwards is decided
in `task_runner` and `worker_exit`.
"""

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
    FileStamp,
    IndexedImage,
    ShardChanged,
    file_stamp,
    read_records,
)
from engine.protocol.messages import Message
from engine.state.failure_rows import group_failures
from engine.state.task_ledger import LogCounts


@dataclass(slots=True)
class Attempt:
    """A running attempt at a task, with the open caption log that it appends to.

    Records are sent in the order of the shard, except suspects, which are sent one at a time:
    those of a worker's death before all other records, those of a server's outage after all
    others, so that they hold up no other record.
    """

    task: TaskRow
    """The task as it was when the attempt started; the ledger has its newest state."""
    model: ModelRow
    shard: ShardRow
    log: CaptionLog
    shard_file: BinaryIO
    """The open shard file, from which records are read as they are sent."""
    shard_stamp: FileStamp
    """The stamp that the shard file had when its digest was checked."""
    unsent: Iterator[IndexedImage]
    """Records that the log lacks, without suspects, in the order of the shard."""
    suspects: deque[IndexedImage] = field(default_factory=deque)
    """Records that were with a worker when it died and that are to be sent alone."""
    server_suspects: deque[IndexedImage] = field(default_factory=deque)
    """Records that were with a server when it went away. While one of them is with the server,
    nothing else is."""
    outstanding: set[int] = field(default_factory=set)
    """Indexes of records that were sent to the worker and have no row yet."""
    originals: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Image path and original caption of the outstanding records, by index."""
    in_progress: set[int] = field(default_factory=set)
    """Indexes of outstanding records that the worker reported to be decoding or generating."""
    isolated_record: int | None = None
    """Index of the suspect that is with the worker now, or None."""
    rows: int = 0
    """Rows that this attempt added to the log."""
    exhausted: bool = False
    """True once `unsent` has come to its end."""
    synced_at: float = field(default_factory=time.monotonic)
    """When the log was last synced, on the monotonic clock."""

    @property
    def number(self) -> int:
        """The attempt's number: 1 for the first attempt at the task."""
        return self.task.attempt

    @property
    def key(self) -> tuple[int, int]:
        """Task id and attempt number, which every message about records carries."""
        return self.task.id, self.task.attempt

    @property
    def counts(self) -> LogCounts:
        """Counts of what the log holds now."""
        log = self.log
        return LogCounts(log.captioned, log.failed, log.left, log.rows, log.size)

    @property
    def isolating(self) -> bool:
        """True if all that is left are suspects of a server."""
        return self.exhausted and (bool(self.server_suspects) or self.isolated_record is not None)

    def next_records(self, chunk: int) -> Message | None:
        """Return the next `records` message for the worker, or None if it has enough for now.

        A message holds up to `chunk` records, and none is sent while `chunk` or more are
        outstanding. Raises `ShardChanged`.
        """
        suspects = self.server_suspects if self.exhausted else self.suspects
        if suspects or self.isolated_record is not None:
            if self.outstanding:
                return None
            self.isolated_record = None
        if suspects:
            i, image = suspects.popleft()
            self.isolated_record = i
            return self.records_message([(i, image)], last=self.exhausted, alone=True)
        if self.exhausted or len(self.outstanding) >= chunk:
            return None
        records: list[IndexedImage] = []
        for record in self.unsent:
            records.append(record)
            if len(records) >= chunk:
                break
        self.exhausted = len(records) < chunk
        if not records and not self.outstanding:
            return None
        return self.records_message(records, last=self.exhausted, alone=False)

    def records_message(self, records: Sequence[IndexedImage], last: bool, alone: bool) -> Message:
        """Return the message that sends `records`, and note them as outstanding.

        Raises `ShardChanged` if the shard file was written to since its digest was checked.
        """
        # After they were read: what was written before that would show in the stamp.
        if file_stamp(os.fstat(self.shard_file.fileno())) != self.shard_stamp:
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
        """Append the rows of outstanding records to the log and return those rows.

        Anything else among `rows` is dropped. Raises `OSError` (`DiskFull` among them), and then
        no row is in the log.
        """
        accepted = [
            row for row in rows if is_row(row, self.log.count) and row["i"] in self.outstanding
        ]
        self.rows += self.log.append(accepted)
        for row in accepted:
            self.outstanding.discard(row["i"])
            self.in_progress.discard(row["i"])
        return accepted

    def close_files(self) -> None:
        """Close the caption log and the shard file."""
        self.log.close()
        self.shard_file.close()

    def failures(self) -> list[FailureRow]:
        """Return the task's failed records by kind, as the database keeps them."""
        return group_failures(self.task.id, self.log.errors)


def open_attempt(
    task: TaskRow,
    model: ModelRow,
    shard: ShardRow,
    shard_path: Path,
    stamp: FileStamp,
    log_path: Path,
    suspects: Sequence[int] = (),
    server_suspects: Sequence[int] = (),
) -> Attempt:
    """Open the shard and the caption log, and line up the records that the log lacks.

    `suspects` and `server_suspects` are indexes in the order in which they are to be sent; an
    index in both counts as a server's. Raises `OSError`, and `ValueError` for a line of the shard
    that is no record.
    """
    shard_file = shard_path.open("rb")
    try:
        log = CaptionLog(log_path, shard.count, task.redo, task.redo_from)
    except OSError:
        shard_file.close()
        raise
    attempt = Attempt(task, model, shard, log, shard_file, stamp, iter(()))
    suspected = {i for i in (*suspects, *server_suspects) if log.missing(i)}

    def remember(i: int, record: dict[str, Any]) -> IndexedImage:
        caption = record.get("caption")
        attempt.originals[i] = (record["image"], caption if isinstance(caption, str) else "")
        return i, record["image"]

    def read_unsent() -> Iterator[IndexedImage]:
        shard_file.seek(0)
        for i, record in read_records(shard_file):
            if log.missing(i) and i not in suspected:
                yield remember(i, record)

    if suspected:
        records = {i: record for i, record in read_records(shard_file) if i in suspected}
        worker_suspects = [i for i in suspects if i in records and i not in server_suspects]
        attempt.suspects.extend(remember(i, records[i]) for i in worker_suspects)
        attempt.server_suspects.extend(
            remember(i, records[i]) for i in server_suspects if i in records
        )
    attempt.unsent = read_unsent()
    return attempt
