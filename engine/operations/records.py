"""Looking records up: what every model said of an image, before and after shearing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from db import flags, progress, projects
from db.connection import reading
from db.rows import SHEAR_MODES, ModelRow
from engine.images.image import ImagePaths
from engine.project import caption_log
from engine.project.layout import Project
from engine.project.selectors import WRITTEN, models_named, place_named
from engine.project.shard_file import read_shard
from engine.shearing.shear import Shearing, kept_part, shear
from engine.utils import jsonlines


@dataclass(frozen=True, slots=True)
class SampledCaption:
    """`raw` is None for a failed record, whose reason is `error`; `start` and `end` is the span
    of `raw` that shearing kept, where there is one."""

    model: str
    raw: str | None
    sheared: str | None
    start: int | None
    end: int | None
    tokens: int | None
    finish: str | None
    error: str | None
    modes: dict[str, str] = field(default_factory=dict, hash=False)
    """The sheared text by mode of shearing, whatever the project's own is."""


@dataclass(frozen=True, slots=True)
class SampledImage:
    shard: int
    i: int
    image: str
    original: str
    captions: tuple[SampledCaption, ...]
    flagged: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_samples(project: Project, count: int, names: Sequence[str] = ()) -> list[SampledImage]:
    """Up to `count` images spread evenly over the shards that have captions. Raises `BadInput`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = models_named(projects.models(connection), names)
        numbers = spread(progress.shards_with_captions(connection), count)
        flagged = flags.places(connection)
    shearing = Shearing(settings.shear_mode, settings.shear_max_words)
    found: list[SampledImage] = []
    for place, number in enumerate(numbers):
        share = (count - len(found)) // (len(numbers) - place)
        logs = logs_of(project, models, number)
        known = sorted(set[int]().union(*(caption_log.captioned(data) for _, data in logs)))
        found += images_of(project, logs, shearing, number, spread(known, share))
    return [replace(image, flagged=(image.shard, image.i) in flagged) for image in found]


def flagged_samples(project: Project, names: Sequence[str] = ()) -> list[SampledImage]:
    """Every flagged record, captioned or not. Raises `BadInput`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = models_named(projects.models(connection), names)
        places = sorted(flags.places(connection))
    shearing = Shearing(settings.shear_mode, settings.shear_max_words)
    found: list[SampledImage] = []
    for number, group in groupby(places, key=itemgetter(0)):
        logs = logs_of(project, models, number)
        found += images_of(project, logs, shearing, number, [i for _, i in group])
    return [replace(image, flagged=True) for image in found]


Logs = Sequence[tuple[ModelRow, bytes]]
"""Of one shard, by model."""


def logs_of(project: Project, models: Sequence[ModelRow], shard: int) -> Logs:
    return [(model, log_bytes(project, model, shard)) for model in models]


def images_of(
    project: Project, logs: Logs, shearing: Shearing, number: int, chosen: Sequence[int]
) -> list[SampledImage]:
    """These records of a shard."""
    last = max(chosen, default=-1)
    records = dict(islice(read_shard(project.shard_file(number)), last + 1))
    found = [(model, caption_log.rows_of(data, last + 1, set(chosen))) for model, data in logs]
    return [
        SampledImage(
            number,
            i,
            records[i]["image"],
            records[i].get("caption") or "",
            tuple(
                caption
                for model, log in found
                if (caption := look_up(model, log, i, shearing)) is not None
            ),
        )
        for i in chosen
        if i in records
    ]


def log_bytes(project: Project, model: ModelRow, shard: int) -> bytes:
    try:
        return project.log_file(model, shard).read_bytes()
    except FileNotFoundError:
        return b""


def find(project: Project, number: int, i: int) -> SampledImage | None:
    """What every model said of one record, however large its shard; None if there is none."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = projects.models(connection)
        shard = projects.shard(connection, number)
        flagged = (number, i) in flags.places(connection, number)
    record = record_of(project, number, i) if shard is not None else None
    if shard is None or record is None:
        return None
    shearing = Shearing(settings.shear_mode, settings.shear_max_words)
    captions = []
    for model in models:
        log = caption_log.rows_of(log_bytes(project, model, number), shard.count, {i})
        captions.append(look_up(model, log, i, shearing))
    return SampledImage(
        number,
        i,
        record["image"],
        record.get("caption") or "",
        tuple(caption for caption in captions if caption is not None),
        flagged,
    )


def record_of(project: Project, number: int, i: int) -> dict[str, Any] | None:
    with project.shard_file(number).open("rb") as file:
        line = next(islice(file, i, None), None)
    record: dict[str, Any] | None = None if line is None else jsonlines.loads(line)
    return record


def records_of_shard(project: Project, number: int) -> list[tuple[int, str, str]]:
    """Place, image and original caption of every record."""
    return [
        (i, record["image"], record.get("caption") or "")
        for i, record in read_shard(project.shard_file(number))
    ]


def locate(
    project: Project,
    words: str,
    after: tuple[int, int] = (0, -1),
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[int, int] | None:
    """The next record whose line holds these words, going round. Raises `BadInput`.

    `7/12`, or `7:12` as `flag` takes it, is record 12 of shard 7; a number that is a place in the
    whole input means that record.
    """
    with reading(project.database) as connection:
        shards = projects.shards(connection)
    if WRITTEN.fullmatch(words):
        return place_named(words, {shard.number: shard.count for shard in shards})
    place = int(words) if words.isdecimal() else -1
    for shard in shards:
        if shard.first <= place < shard.first + shard.count:
            return shard.number, place - shard.first
    return search(project, words, after, len(shards), cancelled)


def search(
    project: Project,
    words: str,
    after: tuple[int, int],
    shards: int,
    cancelled: Callable[[], bool],
) -> tuple[int, int] | None:
    spellings = {words.encode("utf-8", "surrogatepass"), jsonlines.dumps(words)[1:-1]}
    spellings.add(json.dumps(words).encode()[1:-1])
    for step in range(shards + 1):
        number = (after[0] + step) % shards
        if cancelled():
            return None
        with project.shard_file(number).open("rb") as file:
            for i, line in enumerate(file):
                if (step or i > after[1]) and any(each in line for each in spellings):
                    return number, i
    return None


def image_file(project: Project, image: str) -> str:
    """Where an image lies. Raises `ImageProblem`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
    root = str(project.image_root(settings))
    return ImagePaths(root, settings.path_map, settings.allow_outside).resolve(image)


def look_up(
    model: ModelRow, log: caption_log.Contents, i: int, shearing: Shearing
) -> SampledCaption | None:
    """None where the model has not come to this record yet."""
    row = log.captions.get(i)
    if row is not None:
        kept = shear(row["raw"], model.family, shearing, row["finish"])
        return SampledCaption(
            model.name,
            row["raw"],
            kept.text,
            kept.start,
            kept.end,
            row.get("tokens"),
            row.get("finish"),
            None,
            {
                mode: kept_part(
                    row["raw"], model.family, replace(shearing, mode=mode), row["finish"]
                )[0]
                for mode in SHEAR_MODES
            },
        )
    error = log.errors.get(i)
    if error is None:
        return None
    reason = f"{error['error']}: {error.get('detail', '')}"
    return SampledCaption(model.name, None, None, None, None, None, None, reason)


def spread(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of them, evenly spaced."""
    if len(values) <= count:
        return list(values)
    return [values[place * len(values) // count] for place in range(count)]
