"""Reading and searching single records with the captions of every model, raw and sheared."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from db import flags, progress, projects, ratings
from db.connection import reading
from db.rows import ORIGINAL_ID, SHEAR_MODES, ModelRow, Rating, RecordKey, TaskRow
from engine.operations.damage import check_shard, telling_damage
from engine.operations.record_scores import read_record_scores
from engine.project import log_rows
from engine.project.damage import DamagedFiles
from engine.project.finished_log import log_damage
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.selectors import RECORD_KEY_PATTERN, parse_record_key, select_captioners
from engine.project.shard_file import read_shard
from engine.protocol.caption_row import IMPORTED, ImportedRow, RetriedRow
from engine.shearing.shear import Shearing, shear, shear_text
from engine.utils import jsonlines, plain_files


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledCaption:
    """The caption that one model wrote for one record, or why the record failed.

    The names of the fields are keys of the JSON that `samples --json` prints.
    """

    model: str
    raw: str | None
    """The raw caption; None for a failed record."""
    sheared: str | None
    start: int | None
    """The start of the span of `raw` that shearing kept; None where there is no such span."""
    end: int | None
    """The end of that span."""
    tokens: int | None
    """None also for a caption that was imported."""
    finish: str | None
    """`stop`, `length` or `imported`."""
    error: str | None
    """The reason why the record failed; None if it did not."""
    changes: dict[str, str] = field(default_factory=dict, hash=False)
    """The settings with which a retry asked for it, where they are others than the model's."""
    modes: dict[str, str] = field(default_factory=dict, hash=False)
    """The sheared caption by mode of shearing, whatever the project's own mode is."""
    scores: dict[str, float] = field(default_factory=dict, hash=False)
    """The scores of the sheared caption, by the names of the scorers."""
    raw_scores: dict[str, float] = field(default_factory=dict, hash=False)
    """The same of the raw caption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledImage:
    """One record with the captions of every model that came to it."""

    shard: int
    i: int
    """The index of the record in the shard."""
    image: str
    original: str
    """The original caption; empty if the input has none."""
    captions: tuple[SampledCaption, ...]
    original_scores: dict[str, float] = field(default_factory=dict, hash=False)
    """The scores of the original caption, by the names of the scorers."""
    flagged: bool = False
    """True if a person flagged the record."""
    ratings: dict[str, Rating] = field(default_factory=dict, hash=False)
    """What a person says of captions, by the name of their model, or `original`."""

    def as_dict(self) -> dict[str, Any]:
        """Return the record as the JSON object that `samples --json` prints."""
        ratings = {name: rating._asdict() for name, rating in self.ratings.items()}
        return asdict(self) | {"ratings": ratings}


def read_samples(
    project: Project, count: int, names: Sequence[str] = (), tell: bool = True
) -> list[SampledImage]:
    """Return up to `count` records, spread evenly over the shards that have captions.

    Each has the captions of the models with these names, or of all. Raises `BadInput`, also if
    files that were read are damaged: see `telling_damage` for `tell`.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = select_captioners(projects.models(connection), names)
        numbers = evenly_spaced(progress.shards_with_captions(connection), count)
        known_flags = read_flags(connection)
    shearing = Shearing.of(settings)
    images: list[SampledImage] = []
    with telling_damage(project, tell):
        for position, shard in enumerate(numbers):
            # What one shard cannot give, the shards after it give.
            share = (count - len(images)) // (len(numbers) - position)
            logs = read_logs(project, models, shard)
            indices = set[int]().union(*(log_rows.captioned(data) for _, data in logs))
            chosen = evenly_spaced(sorted(indices), share)
            images += samples_of_shard(project, logs, shearing, shard, chosen)
    return [known_flags.on(image) for image in with_scores(project, images)]


def flagged_samples(
    project: Project, names: Sequence[str] = (), tell: bool = True
) -> list[SampledImage]:
    """Return every record that is flagged or has a bad caption, as `chosen_samples` does."""
    return chosen_samples(project, Flags.keys, names, tell)


def rated_samples(
    project: Project, good: bool, names: Sequence[str] = (), tell: bool = True
) -> list[SampledImage]:
    """Return every record of which a caption is rated so, as `chosen_samples` does."""
    return chosen_samples(project, lambda known: known.rated(good, names), names, tell)


def chosen_samples(
    project: Project,
    choose: Callable[[Flags], list[RecordKey]],
    names: Sequence[str] = (),
    tell: bool = True,
) -> list[SampledImage]:
    """Return the records that `choose` returns the keys of, with the captions of these models or of
    all.

    Raises `BadInput`, also if files that were read are damaged: see `telling_damage` for `tell`.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = select_captioners(projects.models(connection), names)
        known_flags = read_flags(connection)
    shearing = Shearing.of(settings)
    images: list[SampledImage] = []
    with telling_damage(project, tell):
        for shard, group in groupby(choose(known_flags), key=itemgetter(0)):
            logs = read_logs(project, models, shard)
            images += samples_of_shard(project, logs, shearing, shard, [i for _, i in group])
    return [known_flags.on(image) for image in with_scores(project, images)]


@dataclass(frozen=True, slots=True)
class Flags:
    """What a person flagged, and said of captions."""

    records: frozenset[RecordKey]
    ratings: dict[RecordKey, dict[str, Rating]] = field(hash=False)
    """The ratings of captions, by name, for each record that has one."""

    def keys(self) -> list[RecordKey]:
        """Return the keys of the records with a flag or a bad caption, in order."""
        return sorted(self.records.union(self.rated(good=False)))

    def rated(self, good: bool, names: Sequence[str] = ()) -> list[RecordKey]:
        """Return the keys of the records with a good caption, or with a bad one, in order.

        The captions of the named models count, or all.
        """
        return [
            key
            for key, its in sorted(self.ratings.items())
            if any(it.good == good and (not names or name in names) for name, it in its.items())
        ]

    def on(self, image: SampledImage) -> SampledImage:
        """Return a record with its flag and ratings."""
        key = image.shard, image.i
        return replace(image, flagged=key in self.records, ratings=self.ratings.get(key, {}))


def read_flags(connection: Connection, shard: int | None = None) -> Flags:
    """Read the flags and ratings of one shard, or of all shards."""
    names = {model.id: model.name for model in projects.models(connection)}
    names[ORIGINAL_ID] = "original"
    captions: dict[RecordKey, dict[str, Rating]] = {}
    for (number, i, model_id), rating in ratings.current(connection, shard).items():
        captions.setdefault((number, i), {})[names[model_id]] = rating
    return Flags(flags.record_keys(connection, shard), captions)


ShardLogs = Sequence[tuple[ModelRow, bytes]]
"""The bytes of the caption logs of one shard, each with its model."""


def read_logs(project: Project, models: Sequence[ModelRow], shard: int) -> ShardLogs:
    """Read the caption logs of a shard. Raises `OSError`, `DamagedFiles`."""
    check_shard(project, shard)
    with reading(project.database) as connection:
        tasks = projects.tasks_of_shard(connection, shard)
    return [(model, read_log(project, model, tasks[model.id])) for model in models]


def samples_of_shard(
    project: Project, logs: ShardLogs, shearing: Shearing, shard: int, indices: Sequence[int]
) -> list[SampledImage]:
    """Return the records with these indices, as far as the shard has them. Raises `OSError`."""
    last = max(indices, default=-1)
    records = dict(islice(read_shard(project.shard_file(shard)), last + 1))
    contents = [
        (model, log_rows.parse_records(data, last + 1, set(indices))) for model, data in logs
    ]
    return [
        SampledImage(
            shard=shard,
            i=i,
            image=records[i]["image"],
            original=records[i].get("caption") or "",
            captions=tuple(
                caption
                for model, log in contents
                if (caption := caption_of(model, log, i, shearing)) is not None
            ),
        )
        for i in indices
        if i in records
    ]


def with_scores(project: Project, images: Sequence[SampledImage]) -> list[SampledImage]:
    """Return records with the scores of their captions. Raises `OSError`."""
    keys = [(image.shard, image.i) for image in images]
    known = read_record_scores(project, keys)
    return [
        replace(
            image,
            original_scores=known.of(key, image.original),
            captions=tuple(
                replace(
                    caption,
                    scores=known.of(key, caption.sheared),
                    raw_scores=known.of(key, caption.raw),
                )
                for caption in image.captions
            ),
        )
        for key, image in zip(keys, images, strict=True)
    ]


def read_log(project: Project, model: ModelRow, task: TaskRow) -> bytes:
    """Return the bytes of a caption log, none if it does not exist yet.

    Raises `OSError`, and `DamagedFiles` if it is not what was read back when its task was done.
    """
    log = project.caption_log_file(model, task.shard)
    try:
        data = plain_files.read_bytes(log)
    except FileNotFoundError:
        data = b""
    if task.state == "done" and log_rows.digest(data) != task.digest:
        raise DamagedFiles([log_damage(log, task)])
    return data


def read_record(project: Project, shard: int, i: int) -> SampledImage | None:
    """Return the record with index `i` in a shard, or None if there is none.

    This is fast however large the shard is. Raises `OSError`.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = select_captioners(projects.models(connection), ())
        shard_row = projects.shard(connection, shard)
        tasks = projects.tasks_of_shard(connection, shard)
        known_flags = read_flags(connection, shard)
    record = input_record(project, shard, i) if shard_row is not None else None
    if shard_row is None or record is None:
        return None
    shearing = Shearing.of(settings)
    captions: list[SampledCaption | None] = []
    for model in models:
        try:
            data = read_log(project, model, tasks[model.id])
        except DamagedFiles as error:
            captions.append(no_caption(model, f"damaged: {error}"))
            continue
        log = log_rows.parse_records(data, shard_row.count, {i})
        captions.append(caption_of(model, log, i, shearing))
    image = SampledImage(
        shard=shard,
        i=i,
        image=record["image"],
        original=record.get("caption") or "",
        captions=tuple(caption for caption in captions if caption is not None),
    )
    (scored,) = with_scores(project, [image])
    return known_flags.on(scored)


def input_record(project: Project, shard: int, i: int) -> dict[str, Any] | None:
    """Return a record as the input has it, or None if the shard is shorter. Raises `OSError`."""
    with plain_files.open_stream(project.shard_file(shard), "rb") as file:
        line = next(islice(file, i, None), None)
    record: dict[str, Any] | None = None if line is None else jsonlines.loads(line)
    return record


def read_shard_records(project: Project, shard: int) -> list[tuple[int, str, str]]:
    """Return index, image and original caption of every record of a shard."""
    return [
        (i, record["image"], record.get("caption") or "")
        for i, record in read_shard(project.shard_file(shard))
    ]


def read_records(project: Project, keys: Sequence[RecordKey]) -> list[tuple[int, int, str, str]]:
    """Return shard, index, image and original caption of records, in the order of `keys`.

    Those that a shard does not have are left out. Raises `OSError`, and `ValueError` for a shard
    file that is damaged.
    """
    found: dict[RecordKey, dict[str, Any]] = {}
    for shard, group in groupby(sorted(keys), key=itemgetter(0)):
        indices = {i for _, i in group}
        with plain_files.open_stream(project.shard_file(shard), "rb") as file:
            for i, line in enumerate(islice(file, max(indices) + 1)):
                if i in indices:
                    found[shard, i] = jsonlines.loads(line)
    return [
        (*key, found[key]["image"], found[key].get("caption") or "") for key in keys if key in found
    ]


def locate_record(
    project: Project,
    text: str,
    after: RecordKey = (0, -1),
    cancelled: Callable[[], bool] = lambda: False,
) -> RecordKey | None:
    """Return the record that a text names, or the next one that holds it; None if there is none.

    `7/12`, or `7:12` as `flag` takes it, names record 12 of shard 7; a number names the record with
    this record id, if there is one. Any other text is searched in the lines of the shard files,
    first behind `after` and then from the start. Raises `BadInput`, `OSError`.
    """
    with reading(project.database) as connection:
        shards = projects.shards(connection)
    if RECORD_KEY_PATTERN.fullmatch(text):
        return parse_record_key(text, {shard.number: shard.count for shard in shards})
    record_id = int(text) if text.isdecimal() else -1
    for shard in shards:
        if shard.first <= record_id < shard.first + shard.count:
            return shard.number, record_id - shard.first
    return search_shards(project, text, after, len(shards), cancelled)


def search_shards(
    project: Project,
    text: str,
    after: RecordKey,
    shards: int,
    cancelled: Callable[[], bool],
) -> RecordKey | None:
    """Return the next record behind `after` whose line in a shard file holds a text.

    `shards` is their number. Returns None if there is no such record, or once `cancelled` is True.
    """
    # Inputs differ in what they escape in JSON: the text is searched as it can be written.
    spellings = {text.encode("utf-8", "surrogatepass"), jsonlines.dumps(text)[1:-1]}
    spellings.add(json.dumps(text).encode()[1:-1])
    for step in range(shards + 1):  # the first shard comes twice, the last time from its start
        shard = (after[0] + step) % shards
        if cancelled():
            return None
        with plain_files.open_stream(project.shard_file(shard), "rb") as file:
            for i, line in enumerate(file):
                if (step or i > after[1]) and any(each in line for each in spellings):
                    return shard, i
    return None


def image_path(project: Project, image: str) -> str:
    """Return the path of an image as the input names it. Raises `ImageProblem`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
    return image_paths_of(project, settings).resolve(image)


def caption_of(
    model: ModelRow, log: log_rows.LogContents, i: int, shearing: Shearing
) -> SampledCaption | None:
    """Return what a model wrote about the record with index `i`, None if it has no row about it."""
    row = log.captions.get(i)
    if row is not None:
        sheared = shear(row.raw, model.family, shearing, row.finish)
        imported = isinstance(row, ImportedRow)
        return SampledCaption(
            model=model.name,
            raw=row.raw,
            sheared=sheared.text,
            start=sheared.start,
            end=sheared.end,
            tokens=None if imported else row.tokens,
            finish=IMPORTED if imported else row.finish,
            error=None,
            changes=row.changes if isinstance(row, RetriedRow) else {},
            modes={
                mode: shear_text(row.raw, model.family, replace(shearing, mode=mode), row.finish)[0]
                for mode in SHEAR_MODES
            },
        )
    error = log.errors.get(i)
    return None if error is None else no_caption(model, f"{error.error}: {error.detail}")


def no_caption(model: ModelRow, error: str) -> SampledCaption:
    """Return what stands in the place of a caption that failed, or cannot be believed."""
    return SampledCaption(
        model=model.name,
        raw=None,
        sheared=None,
        start=None,
        end=None,
        tokens=None,
        finish=None,
        error=error,
    )


def evenly_spaced(values: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the values, evenly spaced."""
    if len(values) <= count:
        return list(values)
    return [values[k * len(values) // count] for k in range(count)]
