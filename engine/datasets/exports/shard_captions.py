"""What an export reads: the shards' images and originals, and every model's sheared captions.

Light to import, without the database: other processes start with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from db.rows import ModelRow, ProjectRow, RecordKey, ShardRow, TaskRow
from engine.project import caption_log
from engine.project.layout import Project
from engine.project.sheared_file import sheared_captions, sheared_file, write_sheared
from engine.shearing.shear import Shearing, shear
from engine.utils import jsonlines
from engine.utils.errors import BadInput

Column = list[bytes | None]
"""One caption a record as a JSON string; None where there is none."""
EMPTY = b'""'


@dataclass(slots=True)
class Tally:
    records: int = 0
    captions: int = 0
    failed: int = 0
    empty: int = 0
    missing: int = 0
    filtered: int = 0
    flagged: int = 0
    unfit: int = 0

    def add(self, other: Tally) -> None:
        for entry in fields(Tally):
            value = getattr(self, entry.name) + getattr(other, entry.name)
            setattr(self, entry.name, value)


@dataclass(frozen=True, slots=True)
class CaptionFilter:
    """Which captions are taken; the filters are for the models'."""

    originals: bool = False
    min_words: int = 0
    only_finished: bool = False
    finishes: bool = False
    """Whether each caption's finish reason is wanted too."""
    without_flagged: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    project: Project
    settings: ProjectRow
    shards: Sequence[ShardRow]
    models: Sequence[ModelRow]
    tasks: dict[tuple[int, int], TaskRow] = field(hash=False)
    """By shard and model id."""
    flags: frozenset[RecordKey] = frozenset()

    def of_shard(self, shard: ShardRow) -> Source:
        """What another process needs to know of the shard."""
        keys = [(shard.number, model.id) for model in self.models]
        tasks = {key: self.tasks[key] for key in keys}
        flags = frozenset(place for place in self.flags if place[0] == shard.number)
        return replace(self, shards=[shard], tasks=tasks, flags=flags)

    @property
    def shearing(self) -> Shearing:
        return Shearing(self.settings.shear_mode, self.settings.shear_max_words)


@dataclass(frozen=True, slots=True)
class ShardCaptions:
    """One shard, a list entry a record; the columns are in the order of the source's models.

    `originals` is empty where not wanted."""

    shard: ShardRow
    images: list[str]
    originals: Column
    columns: list[Column]
    finishes: list[list[str | None]]
    """As `columns`; empty where not wanted."""


def read_columns(
    source: Source, shard: ShardRow, wanted: CaptionFilter, tally: Tally
) -> ShardCaptions:
    """Raises `BadInput` if the shard or a log is not what the project knows."""
    shard_file = source.project.shard_file(shard.number)
    try:
        data = shard_file.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"{shard_file} is missing") from error
    if caption_log.digest(data) != shard.digest:
        raise BadInput(f"{shard_file} was changed since the input was split")
    records = jsonlines.loads_lines(data)
    tally.records += len(records)
    originals: Column = []
    if wanted.originals:
        texts = [record.get("caption") for record in records]
        originals = [jsonlines.dumps(text) if text else None for text in texts]
    columns, finishes = [], []
    for model in source.models:
        if wanted.only_finished or wanted.finishes:
            column, finish = logged_column(source, shard, model, wanted, tally)
            finishes.append(finish)
        else:
            column = captions_of(source, shard, model, tally)
        columns.append(long_enough(column, wanted.min_words, tally))
    if wanted.without_flagged:
        for number, i in source.flags:
            if number == shard.number:
                tally.flagged += take_out(i, originals, columns)
    return ShardCaptions(
        shard,
        [record["image"] for record in records],
        originals,
        columns,
        finishes,
    )


def take_out(i: int, originals: Column, columns: list[Column]) -> int:
    """Leaves a record without captions, so that no format writes it.

    Returns how many the models had made.
    """
    count = sum(column[i] is not None for column in columns)
    for column in filter(None, (originals, *columns)):
        column[i] = None
    return count


def captions_of(source: Source, shard: ShardRow, model: ModelRow, tally: Tally) -> Column:
    """The shard's sheared captions by one model."""
    task = source.tasks[shard.number, model.id]
    log = source.project.log_file(model, shard.number)
    lines = kept_column(log, task, shard, source.shearing) if task.digest else None
    if lines is None:
        lines = shear_column(log, task, shard, model, source.shearing)
    absent, empty = lines.count(b"null"), lines.count(EMPTY)
    tally.empty += empty
    tally.failed += task.failed
    tally.missing += absent - task.failed
    if not absent and not empty:
        return list[bytes | None](lines)
    return [None if line in (b"null", EMPTY) else line for line in lines]


def kept_column(
    log: Path, task: TaskRow, shard: ShardRow, shearing: Shearing
) -> list[bytes] | None:
    """The sheared file that was written when the task ended or was sheared again."""
    check_log(log, task)
    try:
        column = sheared_file(log, shearing, task.digest or "").read_bytes().splitlines()
    except FileNotFoundError:
        return None
    return column if len(column) == shard.count else None


def check_log(log: Path, task: TaskRow) -> None:
    """Raises `BadInput` unless the log is the one that was read back when its task ended."""
    try:
        status = log.stat()
        same = status.st_size == task.log_bytes and (
            status.st_mtime_ns == task.log_mtime_ns or caption_log.file_digest(log) == task.digest
        )
    except FileNotFoundError as error:
        raise BadInput(
            f"{log} is missing, its task is done: 'mllmaug-tui run' makes it again"
        ) from error
    if not same:
        raise BadInput(
            f"{log} was changed after its task was done: 'mllmaug-tui run' redoes what it lacks"
        )


def shear_column(
    log: Path, task: TaskRow, shard: ShardRow, model: ModelRow, shearing: Shearing
) -> list[bytes]:
    contents = caption_log.read(log, shard.count)
    captions = sheared_captions(contents, shard.count, model.family, shearing)
    if task.digest is not None:
        with suppress(OSError):  # a project that is read-only, or has no room
            write_sheared(sheared_file(log, shearing, contents.digest), captions)
    return [jsonlines.dumps(caption) for caption in captions]


def logged_column(
    source: Source, shard: ShardRow, model: ModelRow, wanted: CaptionFilter, tally: Tally
) -> tuple[Column, list[str | None]]:
    """From the caption log, which alone knows how each caption ended."""
    task = source.tasks[shard.number, model.id]
    log = source.project.log_file(model, shard.number)
    if task.digest:
        check_log(log, task)
    contents = caption_log.read(log, shard.count)
    column: Column = [None] * shard.count
    finishes: list[str | None] = [None] * shard.count
    for i, row in contents.captions.items():
        kept = shear(row["raw"], model.family, source.shearing, row["finish"])
        if not kept.text:
            tally.empty += 1
        elif wanted.only_finished and not kept.ended:
            tally.filtered += 1
        else:
            column[i] = jsonlines.dumps(kept.text)
            finishes[i] = row["finish"]
    tally.failed += task.failed
    tally.missing += shard.count - len(contents.captions) - task.failed
    return column, finishes


def long_enough(column: Column, min_words: int, tally: Tally) -> Column:
    if min_words < 2:
        return column
    kept: Column = [
        caption if caption and len(jsonlines.loads(caption).split()) >= min_words else None
        for caption in column
    ]
    tally.filtered += kept.count(None) - column.count(None)
    return kept
