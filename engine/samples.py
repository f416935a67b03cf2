"""Looking records up: what every model said of an image, before and after shearing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from db import progress, projects
from db.connect import reading
from db.rows import SHEAR_MODES, ModelRow
from engine import captionlog
from engine.attempt import read_shard
from engine.project import Project
from engine.selection import models_named
from engine.shearing import Shearing, kept_part, shear


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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_samples(project: Project, count: int, names: Sequence[str] = ()) -> list[SampledImage]:
    """Up to `count` images spread evenly over the shards that have captions. Raises `BadInput`."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = models_named(projects.models(connection), names)
        numbers = spread(progress.shards_with_captions(connection), count)
    shearing = Shearing(settings.shear_mode, settings.shear_max_words)
    found: list[SampledImage] = []
    for place, number in enumerate(numbers):
        share = (count - len(found)) // (len(numbers) - place)
        found += sample_shard(project, models, shearing, number, share)
    return found


def sample_shard(
    project: Project, models: Sequence[ModelRow], shearing: Shearing, number: int, count: int
) -> list[SampledImage]:
    shard_file = project.shard_file(number)
    logs = [(model, log_bytes(project, model, number)) for model in models]
    known = sorted(set[int]().union(*(captionlog.captioned(data) for _, data in logs)))
    chosen = spread(known, count)
    last = max(chosen, default=-1)
    records = dict(islice(read_shard(shard_file), last + 1))
    found = [(model, captionlog.rows_of(data, last + 1, set(chosen))) for model, data in logs]
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


def look_up(
    model: ModelRow, log: captionlog.Contents, i: int, shearing: Shearing
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
