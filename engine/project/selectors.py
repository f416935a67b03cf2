"""Which tasks a command speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from db import progress, projects
from db.connection import reading
from db.rows import ModelRow, RecordKey
from db.task_pages import matching_tasks
from engine.project.layout import Project
from engine.utils.errors import BadInput


def models_named(models: Sequence[ModelRow], names: Sequence[str]) -> list[ModelRow]:
    """In project order; no names means all. Raises `BadInput`."""
    known = {model.name for model in models}
    for name in names:
        if name not in known:
            has = ", ".join(sorted(known))
            raise BadInput(f"the project has no model {name!r}: it has {has}")
    return [model for model in models if not names or model.name in names]


def select_tasks(
    project: Project, shards: Sequence[int], names: Sequence[str], failed_items: bool = False
) -> list[int]:
    """Tasks to retry: those named, or, if none are, those that failed. Raises `BadInput`."""
    with reading(project.database) as connection:
        models = models_named(projects.models(connection), names)
        for number in shards:
            if projects.shard(connection, number) is None:
                count, _ = progress.totals(connection)
                raise BadInput(f"there is no shard {number}: they are 0 to {count - 1}")
        found = progress.chosen_tasks(
            connection,
            shards,
            [model.id for model in models],
            only_failed=not shards and not names and not failed_items,
            with_failed_records=failed_items,
        )
    return list(found)


def named_tasks(project: Project, shards: Sequence[int], names: Sequence[str]) -> list[int]:
    """Of these shards and models; one of both must be named. Raises `BadInput`."""
    if not shards and not names:
        raise BadInput("name what is meant: --shard N, --model NAME or both")
    return select_tasks(project, shards, names)


def skipped_tasks(project: Project) -> list[int]:
    with reading(project.database) as connection:
        return list(matching_tasks(connection, "status:skipped"))


WRITTEN = re.compile(r"([0-9]+)[:/]([0-9]+)")


def places_named(project: Project, written: Iterable[str]) -> list[RecordKey]:
    """Reads `SHARD:PLACE`, or `SHARD/PLACE` as the screens write it. Raises `BadInput`."""
    with reading(project.database) as connection:
        counts = {shard.number: shard.count for shard in projects.shards(connection)}
    return [place_named(each, counts) for each in written]


def place_named(written: str, counts: dict[int, int]) -> RecordKey:
    match = WRITTEN.fullmatch(written)
    if match is None:
        raise BadInput(f"{written!r}: write SHARD:PLACE, such as 7:120")
    shard, i = int(match[1]), int(match[2])
    if shard not in counts:
        raise BadInput(f"there is no record {written}: shards are 0 to {len(counts) - 1}")
    if i >= counts[shard]:
        raise BadInput(f"there is no record {written}: shard {shard} has 0 to {counts[shard] - 1}")
    return shard, i
