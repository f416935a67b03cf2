"""The input of an export: a shard's images and originals, and every model's sheared captions.

Light to import, without the database: other processes start with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from db.rows import ORIGINAL_ID, CaptionKey, ModelRow, ProjectRow, RecordKey, ShardRow, TaskRow
from engine.datasets.exports.counts import CUT_OFF, TOO_SHORT, ExportCounts
from engine.datasets.exports.known_unreadable import unreadable_records
from engine.project import caption_log, log_rows
from engine.project.finished_log import damage_of, is_unchanged
from engine.project.layout import Project
from engine.project.log_rows import LogContents
from engine.project.shard_file import parse_shard, shard_damage
from engine.project.sheared_file import (
    read_sheared,
    sheared_captions,
    sheared_path,
    write_sheared,
)
from engine.protocol.caption_row import ImportedRow
from engine.shearing.shear import Shearing, shear
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from engine.utils.plain_files import read_bytes

CaptionColumn = list[bytes | None]
"""One caption per record of a shard, as a JSON string; None where there is none."""
EMPTY = b'""'
"""The JSON of an empty caption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionFilter:
    """Which captions an export takes. `min_words` and `only_finished` spare the originals.

    Raises `BadInput` for what leaves nothing.
    """

    with_originals: bool = False
    """True if the original captions are taken too."""
    min_words: int = 0
    """Words that a model's caption must have."""
    only_finished: bool = False
    """True if captions whose sentence was cut by the cap on new tokens are left out."""
    with_finishes: bool = False
    """True if the finish reason of each caption is read too."""
    without_flagged: bool = False
    """True if the captions of records that a person flagged, and captions that were flagged by
    themselves, are left out."""
    only_flagged: bool = False
    """True if nothing but those is taken."""
    keep_unreadable: bool = False
    """True if records whose image is known to be unreadable or missing, or which a person excluded,
    are taken with the captions that they have."""
    raw: bool = False
    """True if a raw caption is taken in the place of each sheared one."""

    def __post_init__(self) -> None:
        if self.without_flagged and self.only_flagged:
            raise BadInput(
                "--only-flagged takes what --without-flagged leaves out: give one of them"
            )

    @property
    def reads_logs(self) -> bool:
        """True if the sheared captions alone do not tell what is taken."""
        return self.only_finished or self.with_finishes or self.raw


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """A project, or one of its shards, as an export reads it. Can be pickled."""

    project: Project
    settings: ProjectRow
    shards: Sequence[ShardRow]
    models: Sequence[ModelRow]
    """The models whose captions are taken, in project order."""
    tasks: dict[tuple[int, int], TaskRow] = field(hash=False)
    """Tasks by (shard number, model id)."""
    flags: frozenset[RecordKey] = frozenset()
    """The keys of the flagged records."""
    caption_flags: Mapping[CaptionKey, str] = field(default_factory=dict, hash=False)
    """Why each flagged caption is flagged."""
    all_models: Sequence[ModelRow] = ()
    """All models of the project, whose failures tell which images are unreadable; none means
    `models`."""
    scorers: Sequence[ModelRow] = ()
    """The project's scorers, which have no captions of their own."""
    readonly: bool = False
    """True if nothing of the project may be written, sheared files among it."""

    def of_shard(self, shard: ShardRow) -> ExportSource:
        """Return a source of one shard alone, which is small enough for another process."""
        keys = [(shard.number, model.id) for model in self.known_models]
        tasks = {key: self.tasks[key] for key in keys}
        flags = frozenset(key for key in self.flags if key[0] == shard.number)
        reasons = {key: why for key, why in self.caption_flags.items() if key[0] == shard.number}
        return replace(self, shards=[shard], tasks=tasks, flags=flags, caption_flags=reasons)

    @property
    def known_models(self) -> Sequence[ModelRow]:
        """The models whose failures tell which images are unreadable."""
        return self.all_models or self.models

    @property
    def shearing(self) -> Shearing:
        """The project's shearing settings."""
        return Shearing.of(self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCaptions:
    """The captions of one shard; every list has one entry per record.

    The columns are in the order of the source's models.
    """

    shard: ShardRow
    images: list[str]
    """The image paths, as the input writes them."""
    originals: CaptionColumn
    """The original captions; empty unless the filter takes them."""
    columns: list[CaptionColumn]
    """The sheared captions of each model."""
    finishes: list[list[str | None]]
    """The finish reasons of `columns`, `stop`, `length` or `imported`; may be empty unless the
    filter asks for them."""
    quality: list[dict[str, Any]] = field(default_factory=list)
    """The values of the columns of quality of each record; empty where those are not written."""


def read_shard_captions(
    source: ExportSource, shard: ShardRow, caption_filter: CaptionFilter, counts: ExportCounts
) -> ShardCaptions:
    """Read a shard's captions, and add to `counts` what is taken and left out.

    A shard file that is not as the project knows it gives a shard without records, such a caption
    log a column without captions. Raises `OSError`.
    """
    shard_file = source.project.shard_file(shard.number)
    try:
        data = read_bytes(shard_file)
    except FileNotFoundError:
        data = b""
    records = None
    if log_rows.digest(data) == shard.digest:
        with suppress(ValueError):
            records = parse_shard(data, shard.count)
    if records is None:
        counts.damage += (shard_damage(shard_file, shard.number),)
        counts.possible += shard.count * len(source.models)
        counts.damaged += shard.count * len(source.models)
        return without_records(shard, len(source.models))
    counts.records += len(records)
    counts.possible += len(records) * (len(source.models) + caption_filter.with_originals)
    originals: CaptionColumn = []
    if caption_filter.with_originals:
        texts = [record.get("caption") for record in records]
        originals = [jsonlines.dumps(text) if text else None for text in texts]
        counts.no_original += originals.count(None)
    columns, finishes = [], []
    for model in source.models:
        if caption_filter.reads_logs:
            column, column_finishes = read_log_column(source, shard, model, caption_filter, counts)
            finishes.append(column_finishes)
        else:
            column = read_sheared_column(source, shard, model, counts)
        columns.append(drop_short(column, model.name, caption_filter.min_words, counts))
    logs = [] if caption_filter.keep_unreadable else logs_with_failures(source, shard)
    unreadable = unreadable_records(logs, shard.count)
    counts.unreadable_images += len(unreadable)
    counts.unreadable += drop_records(unreadable, originals, columns)
    if caption_filter.without_flagged or caption_filter.only_flagged:
        flagged = {i for number, i in source.flags if number == shard.number} - unreadable
        captions = flagged_in(source, shard, originals, columns)
        if caption_filter.without_flagged:
            counts.flagged_images += len(flagged)
            counts.flagged += drop_records(flagged, originals, columns)
            for column, indices in captions:
                counts.flagged_captions += drop_records(indices, column, [])
        else:
            keep_flagged(shard.count, flagged, unreadable, captions, counts)
    return ShardCaptions(
        shard=shard,
        images=[record["image"] for record in records],
        originals=originals,
        columns=columns,
        finishes=finishes,
    )


def logs_with_failures(source: ExportSource, shard: ShardRow) -> list[Path]:
    """Return the shard's caption logs of all models but those that are known to hold no failure."""
    tasks = {model: source.tasks[shard.number, model.id] for model in source.known_models}
    return [
        source.project.caption_log_file(model, shard.number)
        for model, task in tasks.items()
        if task.state != "done" or task.failed
    ]


def without_records(shard: ShardRow, models: int) -> ShardCaptions:
    """Return the captions of a shard of which nothing is taken."""
    return ShardCaptions(
        shard=shard,
        images=[],
        originals=[],
        columns=[[] for _ in range(models)],
        finishes=[[] for _ in range(models)],
    )


def drop_records(
    indices: Iterable[int], originals: CaptionColumn, columns: list[CaptionColumn]
) -> int:
    """Leave the records with these indices without captions, so that no format writes them.

    Returns how many captions they had.
    """
    count = 0
    for column in filter(None, (originals, *columns)):
        for i in indices:
            count += column[i] is not None
            column[i] = None
    return count


def flagged_in(
    source: ExportSource, shard: ShardRow, originals: CaptionColumn, columns: list[CaptionColumn]
) -> list[tuple[CaptionColumn, set[int]]]:
    """Return each column of a shard with the indices of the captions that are flagged by
    themselves."""
    ids = [ORIGINAL_ID] * bool(originals) + [model.id for model in source.models]
    flagged: dict[int, set[int]] = {model_id: set() for model_id in ids}
    for number, i, model_id in source.caption_flags:
        if number == shard.number and model_id in flagged:
            flagged[model_id].add(i)
    return list(zip([originals] * bool(originals) + columns, flagged.values(), strict=True))


def keep_flagged(
    count: int,
    records: set[int],
    unreadable: set[int],
    captions: list[tuple[CaptionColumn, set[int]]],
    counts: ExportCounts,
) -> None:
    """Leave nothing in the columns of a shard of `count` records but what is flagged."""
    for column, indices in captions:
        others = [i for i in range(count) if i not in records and i not in indices]
        counts.unflagged += drop_records(others, column, [])
    with_flag = records.union(unreadable, *(indices for _, indices in captions))
    counts.unflagged_images += count - len(with_flag)


def read_sheared_column(
    source: ExportSource, shard: ShardRow, model: ModelRow, counts: ExportCounts
) -> CaptionColumn:
    """Return the shard's sheared captions by one model, from its sheared file if there is one."""
    task = source.tasks[shard.number, model.id]
    log = source.project.caption_log_file(model, shard.number)
    lines, failed = sheared_file_lines(log, task, shard, source.shearing), task.failed
    if lines is None:
        contents = read_log(log, task, counts)
        if contents is None:
            return [None] * shard.count
        lines, failed = shear_log_lines(log, contents, task, model, source), len(contents.errors)
    absent, empty = lines.count(b"null"), lines.count(EMPTY)
    counts.empty += empty
    counts.failed += failed
    counts.missing += absent - failed
    if not absent and not empty:
        return list[bytes | None](lines)
    return [None if line in (b"null", EMPTY) else line for line in lines]


def sheared_file_lines(
    log: Path, task: TaskRow, shard: ShardRow, shearing: Shearing
) -> list[bytes] | None:
    """Return the lines of the sheared file of a task that is done, without the last.

    Returns None if the log has another size or time than when the task was done, or if there is no
    sheared file that can be trusted: then the log is to be read.
    """
    if task.state != "done" or task.digest is None or not is_unchanged(log, task):
        return None
    try:
        return read_sheared(sheared_path(log, shearing, task.digest), shard.count)
    except FileNotFoundError:
        return None


def read_log(log: Path, task: TaskRow, counts: ExportCounts) -> LogContents | None:
    """Read a caption log; return None, and count it, if it was damaged after its task was done."""
    contents = caption_log.read(log, task.count)
    damage = damage_of(log, contents, task)
    if damage is None:
        return contents
    counts.damage += (damage,)
    counts.damaged += task.count - task.failed
    counts.failed += task.failed
    return None


def shear_log_lines(
    log: Path, contents: LogContents, task: TaskRow, model: ModelRow, source: ExportSource
) -> list[bytes]:
    """Shear the captions of a log and return them as the lines of a sheared file.

    The sheared file of a task that is done is written too, unless nothing may be.
    """
    captions = sheared_captions(contents, task.count, model.family, source.shearing)
    if task.state == "done" and not source.readonly:
        with suppress(OSError):  # a disk that is full, or that may not be written
            write_sheared(sheared_path(log, source.shearing, contents.digest), captions, sync=True)
    return [jsonlines.dumps(caption) for caption in captions]


def read_log_column(
    source: ExportSource,
    shard: ShardRow,
    model: ModelRow,
    caption_filter: CaptionFilter,
    counts: ExportCounts,
) -> tuple[CaptionColumn, list[str | None]]:
    """Return the shard's sheared captions by one model, and how the generation of each ended.

    They come from the caption log, which alone knows how each caption ended.
    """
    task = source.tasks[shard.number, model.id]
    log = source.project.caption_log_file(model, shard.number)
    column: CaptionColumn = [None] * shard.count
    finishes: list[str | None] = [None] * shard.count
    contents = read_log(log, task, counts)
    if contents is None:
        return column, finishes
    for i, row in contents.captions.items():
        sheared = shear(row.raw, model.family, source.shearing, row.finish)
        if not sheared.text:
            counts.empty += 1
        elif caption_filter.only_finished and not sheared.ended:
            counts.left_out[model.name, CUT_OFF] += 1
        else:
            column[i] = jsonlines.dumps(row.raw if caption_filter.raw else sheared.text)
            finishes[i] = row.source if isinstance(row, ImportedRow) else row.finish
    counts.failed += len(contents.errors)
    counts.missing += shard.count - len(contents.captions) - len(contents.errors)
    return column, finishes


def drop_short(
    column: CaptionColumn, name: str, min_words: int, counts: ExportCounts
) -> CaptionColumn:
    """Return the column of the model with this name, without captions of fewer words."""
    if min_words < 2:
        return column
    remaining: CaptionColumn = [
        caption if caption and len(jsonlines.loads(caption).split()) >= min_words else None
        for caption in column
    ]
    if short := remaining.count(None) - column.count(None):
        counts.left_out[name, TOO_SHORT] += short
    return remaining
