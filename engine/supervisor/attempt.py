"""One attempt at a task: which records are with the worker, and which rows came back.

An attempt belongs to one worker and ends with it. What becomes of its task afterwards is decided
in `task_runner` and `exit_rules`.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from db.rows import FailureRow, ModelRow, ShardRow, TaskRow
from engine.captioners.model_families import is_scorer, prompt_keys
from engine.captioners.record_prompt import texts_of
from engine.project.caption_log import CaptionLog
from engine.project.log_rows import EXCLUDED_KIND, READMITTED_KIND, Wanted
from engine.project.shard_file import (
    FileStamp,
    IndexedImage,
    ShardChanged,
    file_stamp,
    read_records,
)
from engine.protocol.caption_row import (
    ASKED_AGAIN,
    NOT_BETTER,
    RAW_CAPTION_LIMIT,
    TOKEN_COUNT_LIMIT,
    CaptionRow,
    Changes,
    ErrorRow,
    Row,
    ScoreRow,
)
from engine.protocol.messages import Records
from engine.shearing.shear import Shearing
from engine.state.failure_rows import group_failures
from engine.supervisor.asked_again import AskedAgain
from engine.utils.plain_files import open_stream

DETAIL_LIMIT = 2_000
"""Characters of an error's detail that are kept: as many as a worker sends of an exception."""
KIND_LIMIT = 40
"""The most characters of the kind of an error: the longest that we write has 10."""
FINISHES = ("stop", "length")
"""How the generation of a caption can end."""
PAPER = Shearing()
"""How captions are sheared where nobody says otherwise."""
INVALID_KIND = "invalid"
"""The error of a record for which a worker sent a row that cannot be kept."""

DropReason = Literal["doubled", "not sent", "out of range", "stale"]
"""Why a row of a worker is dropped: the record has its row already, was not with the worker, is
none of the shard's, or the row is of an attempt that has ended."""


class AcceptedRow(NamedTuple):
    """A row that was added to the caption log, with what the shard says of its record."""

    row: Row
    image: str
    original: str
    """The original caption; empty if there was none."""


@dataclass(slots=True, kw_only=True)
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
    synced_at: float
    """When the log was last synced, on the monotonic clock."""
    unsent: Iterator[IndexedImage] = field(default_factory=lambda: iter(()))
    """Records that the log lacks, without suspects, in the order of the shard."""
    suspects: deque[IndexedImage] = field(default_factory=deque)
    """Records that were with a worker when it died and that are to be sent alone."""
    server_suspects: deque[IndexedImage] = field(default_factory=deque)
    """Records that were with a server when it went away. While one of them is with the server,
    nothing else is."""
    outstanding: set[int] = field(default_factory=set)
    """Indexes of records that were sent to the worker and have no row yet."""
    originals: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Image path and original caption of the records that were read and have no row yet."""
    texts: dict[int, dict[str, str]] = field(default_factory=dict)
    """What the model gets of the records that were read and not sent yet: what its prompt asks for,
    by key, or the captions that it is to score, by digest."""
    asked: dict[int, Collection[str]] = field(default_factory=dict)
    """Digests of the captions that a scorer is to score, of the records that it has."""
    in_progress: set[int] = field(default_factory=set)
    """Indexes of outstanding records that the worker reported to be decoding or generating."""
    isolated_record: int | None = None
    """Index of the suspect that is with the worker now, or None."""
    probe: Literal["sent", "captioned", "failed"] | None = None
    """What became of the probe image; None if the worker did not get it."""
    rows_before: int
    """Rows that the log had when the attempt started."""
    dropped: Counter[DropReason] = field(default_factory=Counter)
    """Rows that came and were dropped, by reason."""
    exhausted: bool = False
    """True once `unsent` has come to its end."""
    again: AskedAgain
    """The records that have a caption and are asked about again."""
    later: deque[Iterator[IndexedImage]] = field(default_factory=deque)
    """Records to be sent after `unsent`, each part with other settings and only once the worker has
    nothing else."""

    @property
    def number(self) -> int:
        """The attempt's number: 1 for the first attempt at the task."""
        return self.task.attempt

    @property
    def key(self) -> tuple[int, int]:
        """Task id and attempt number, which every message about records carries."""
        return self.task.id, self.task.attempt

    @property
    def rows(self) -> int:
        """Rows that this attempt added to the log."""
        return self.log.rows - self.rows_before

    @property
    def worker_has_images(self) -> bool:
        """True if records, or the probe image, are with the worker."""
        return bool(self.outstanding) or self.probe == "sent"

    @property
    def isolating(self) -> bool:
        """True if all that is left are suspects of a server."""
        return self.all_sent and (bool(self.server_suspects) or self.isolated_record is not None)

    @property
    def all_sent(self) -> bool:
        """True once all records but suspects of a server were sent."""
        return self.exhausted and not self.later

    def next_records(self, chunk: int, probe: bool = False) -> Records | None:
        """Return the next records for the worker, or None if it has enough for now.

        A message holds up to `chunk` records, and none is sent while `chunk` or more are
        outstanding. With `probe`, the worker gets the probe image before its first suspect. Raises
        `ShardChanged`.
        """
        if self.exhausted and self.later and not self.worker_has_images:
            self.unsent, self.exhausted = self.later.popleft(), False
        suspects = self.server_suspects if self.all_sent else self.suspects
        if suspects or self.isolated_record is not None:
            if self.worker_has_images:
                return None
            self.isolated_record = None
        if suspects and probe and self.probe is None:
            self.probe = "sent"
            return self.message([(self.log.count, "")], alone=True, probe=True)
        if suspects:
            i, image = suspects.popleft()
            self.isolated_record = i
            return self.send([(i, image)], last=self.all_sent, alone=True)
        if self.exhausted or len(self.outstanding) >= chunk:
            return None
        records: list[IndexedImage] = []
        for record in self.unsent:
            records.append(record)
            if len(records) >= chunk:
                break
        self.exhausted = len(records) < chunk
        if not records and not self.outstanding:
            return self.next_records(chunk, probe) if self.later else None
        return self.send(records, last=self.exhausted, alone=False)

    def send(self, records: Sequence[IndexedImage], last: bool, alone: bool) -> Records:
        """Return the message that sends `records`, and note them as outstanding.

        Raises `ShardChanged` if the shard file was written to since its digest was checked.
        """
        # After they were read: what was written before that would show in the stamp.
        if file_stamp(os.fstat(self.shard_file.fileno())) != self.shard_stamp:
            raise ShardChanged
        self.outstanding.update(i for i, _ in records)
        if is_scorer(self.model.family):
            self.asked |= {i: tuple(self.texts[i]) for i, _ in records}
        return self.message(records, last=last, alone=alone)

    def message(
        self,
        records: Sequence[IndexedImage],
        *,
        last: bool = False,
        alone: bool = False,
        probe: bool = False,
    ) -> Records:
        """Return a message of this attempt. The index of the probe image is one past the shard."""
        return Records(
            task=self.task.id,
            attempt=self.number,
            first=self.shard.first,
            records=tuple(records),
            settings=self.again.settings_of(records[0][0]) if records else None,
            texts=tuple((i, self.texts.pop(i)) for i, _ in records if i in self.texts),
            last=last,
            alone=alone,
            probe=probe,
        )

    def accept(self, rows: Sequence[Row]) -> list[AcceptedRow]:
        """Append the rows of outstanding records to the log and return those rows.

        A row that cannot be kept becomes its record's failure, so that nothing waits for it. Rows
        that nothing waits for are dropped and counted; that of the probe image becomes `probe`.
        Raises `OSError` (`DiskFull` among them),
        and then no row is in the log and none was dropped.
        """
        accepted: dict[int, Row] = {}
        dropped: Counter[DropReason] = Counter()
        for row in rows:
            if row.i == self.log.count and self.probe == "sent":
                self.probe = "captioned" if is_answer(row) else "failed"
            elif not 0 <= row.i < self.log.count:
                dropped["out of range"] += 1
            elif row.i in accepted or not self.log.missing(row.i):
                dropped["doubled"] += 1
            elif row.i not in self.outstanding:
                dropped["not sent"] += 1
            else:
                accepted[row.i] = self.again.judged(valid_row(row, self.asked.get(row.i)))
        self.log.append(accepted.values())
        self.dropped += dropped
        return [AcceptedRow(row, *self.forget(row.i)) for row in accepted.values()]

    def forget(self, i: int) -> tuple[str, str]:
        """Free what is held for a record that has its row; return its image and caption."""
        self.asked.pop(i, None)
        self.outstanding.discard(i)
        self.in_progress.discard(i)
        return self.originals.pop(i)

    def close(self) -> None:
        """Sync and close the caption log, and close the shard file. Raises `OSError`.

        Both are closed even if the log cannot be synced.
        """
        self.unsent = iter(())  # it reads from the shard file
        try:
            self.log.sync()
        finally:
            self.log.close()
            self.shard_file.close()

    def failures(self) -> list[FailureRow]:
        """Return the task's failed records by kind, as the database keeps them."""
        return group_failures(self.task.id, self.log.errors)


def is_answer(row: Row) -> bool:
    """Return True if the model answered, be it without a caption."""
    return not isinstance(row, ErrorRow) or row.error == "no_caption"


def valid_row(row: Row, asked: Collection[str] | None = None) -> Row:
    """Return the row of an outstanding record, or the failure that is recorded instead of it.

    `asked` are the digests of the captions that a scorer is to score; None for a captioner.
    """
    if isinstance(row, ScoreRow):
        if asked is None:
            return ErrorRow(row.i, INVALID_KIND, "scores, but the model is not a scorer")
        if row.scores.keys() != set(asked):
            return ErrorRow(row.i, INVALID_KIND, "scores of other captions than were sent")
        if not row.is_finite:
            return ErrorRow(row.i, INVALID_KIND, "a score that is not a finite number")
        return row
    if isinstance(row, CaptionRow):
        if asked is not None:
            return ErrorRow(row.i, INVALID_KIND, "a caption, but the model is a scorer")
        if not 0 <= row.tokens < TOKEN_COUNT_LIMIT:
            return ErrorRow(row.i, INVALID_KIND, "a caption with an impossible number of tokens")
        if len(row.raw) > RAW_CAPTION_LIMIT:
            return ErrorRow(row.i, INVALID_KIND, f"a caption of {len(row.raw):,} characters")
        if row.finish not in FINISHES:
            return ErrorRow(row.i, INVALID_KIND, "a caption with an unknown finish")
        return row
    # Only a person excludes records: a worker's word would keep them out for ever.
    reserved = row.error in (EXCLUDED_KIND, READMITTED_KIND, ASKED_AGAIN, NOT_BETTER)
    if reserved or not (row.error.isprintable() and 0 < len(row.error) <= KIND_LIMIT):
        kind = row.error[:KIND_LIMIT]
        return ErrorRow(row.i, INVALID_KIND, f"an error of the kind {kind!r}, which no worker has")
    return ErrorRow(row.i, row.error, row.detail[:DETAIL_LIMIT])


def open_attempt(
    task: TaskRow,
    model: ModelRow,
    shard: ShardRow,
    *,
    shard_path: Path,
    stamp: FileStamp,
    log_path: Path,
    now: float,
    suspects: Sequence[int] = (),
    server_suspects: Sequence[int] = (),
    wanted: Wanted | None = None,
    shearing: Shearing = PAPER,
) -> Attempt:
    """Open the shard and the caption log, and line up the records that the log lacks.

    `suspects` and `server_suspects` are indexes in the order in which they are to be sent; an
    index in both counts as a server's. `wanted` are the texts that a scorer is to score, of which
    it gets those without a score, or all where the shard is retried; None for a captioner. `now` is
    of the monotonic clock. Raises `OSError`, and `ValueError` for a line of the shard that is no
    record.
    """
    shard_file = open_stream(shard_path, "rb")
    try:
        log = CaptionLog(log_path, shard.count, task.redo, task.redo_from, wanted)
    except OSError:
        shard_file.close()
        raise
    attempt = Attempt(
        task=task,
        model=model,
        shard=shard,
        log=log,
        rows_before=log.rows,
        shard_file=shard_file,
        shard_stamp=stamp,
        synced_at=now,
        again=AskedAgain(model, log, shearing),
    )
    suspected = {i for i in (*suspects, *server_suspects) if log.missing(i)}
    keys = prompt_keys(model.family, model.settings)
    retried = task.redo == "all" and task.redo_from > 0

    def remember(i: int, record: dict[str, Any]) -> IndexedImage:
        caption = record.get("caption")
        attempt.originals[i] = (record["image"], caption if isinstance(caption, str) else "")
        if wanted is not None:
            scored = {} if retried else log.scores.get(i, {})
            attempt.texts[i] = {key: text for key, text in wanted[i].items() if key not in scored}
        elif its_keys := keys if i not in log.asked_again else attempt.again.prompt_keys(i):
            attempt.texts[i] = texts_of(record, its_keys)
        return i, record["image"]

    def read_unsent(changes: Changes) -> Iterator[IndexedImage]:
        shard_file.seek(0)
        count = 0
        for i, record in read_records(shard_file):
            count += 1
            is_asked = count <= shard.count and log.missing(i) and i not in suspected
            if is_asked and attempt.again.changes_of(i) == changes:
                yield remember(i, record)
        if count != shard.count:  # with the right digest: only somebody else can have written both
            raise ValueError(f"it has {count} records, not {shard.count}")

    if suspected:
        try:
            records = {i: record for i, record in read_records(shard_file) if i in suspected}
        except (OSError, ValueError):
            log.close()
            shard_file.close()
            raise
        worker_suspects = [i for i in suspects if i in records and i not in server_suspects]
        attempt.suspects.extend(remember(i, records[i]) for i in worker_suspects)
        attempt.server_suspects.extend(
            remember(i, records[i]) for i in server_suspects if i in records
        )
    attempt.unsent = read_unsent({})
    attempt.later.extend(read_unsent(changes) for changes in attempt.again.groups(suspected))
    return attempt
