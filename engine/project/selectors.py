"""Selectors: the models, tasks and records that the arguments of a command or a search name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from db import progress, projects, supervisor_writes
from db.connection import reading
from db.rows import ModelRow, RecordKey
from db.task_pages import matching_tasks
from engine.captioners.model_families import is_scorer
from engine.project.layout import Project
from engine.utils.errors import BadInput

RECORD_KEY_PATTERN = re.compile(r"([0-9]{1,30})[:/]([0-9]{1,30})")
"""A record key as commands take it, `SHARD:INDEX`, or as screens show it, `SHARD/INDEX`."""


def select_models(models: Sequence[ModelRow], names: Sequence[str]) -> list[ModelRow]:
    """Return the models with these names, in project order; without names all of them.

    Raises `BadInput` for a name that no model has.
    """
    known = {model.name for model in models}
    for name in names:
        if name not in known:
            known_names = ", ".join(sorted(known))
            raise BadInput(f"the project has no model {name!r}: it has {known_names}")
    return [model for model in models if not names or model.name in names]


def select_captioners(models: Sequence[ModelRow], names: Sequence[str]) -> list[ModelRow]:
    """Return the same of the models that write captions, without scorers.

    Raises `BadInput` for the name of a scorer, too.
    """
    captioners = [model for model in models if not is_scorer(model.family)]
    scorers = {model.name for model in models if is_scorer(model.family)}
    for name in names:
        if name in scorers:
            raise BadInput(f"{name} is a scorer and writes no captions")
    return select_models(captioners, names)


def select_tasks(
    project: Project, shards: Sequence[int], names: Sequence[str], failed_items: bool = False
) -> list[int]:
    """Return the ids of the tasks of these shards and models, by default of all of both.

    Without shards and names only tasks that failed are returned. With `failed_items` only tasks
    that have failed records are returned. Raises `BadInput`.
    """
    with reading(project.database) as connection:
        models = select_models(projects.models(connection), names)
        for number in shards:
            if projects.shard(connection, number) is None:
                count, _ = progress.totals(connection)
                raise BadInput(f"there is no shard {number}: they are 0 to {count - 1}")
        task_ids = progress.chosen_tasks(
            connection,
            shards,
            [model.id for model in models],
            only_failed=not shards and not names and not failed_items,
            with_failed_records=failed_items,
        )
    return list(task_ids)


def named_tasks(project: Project, shards: Sequence[int], names: Sequence[str]) -> list[int]:
    """Return the ids of the tasks of these shards and models.

    Raises `BadInput` if neither a shard nor a model is named, or one that does not exist.
    """
    if not shards and not names:
        raise BadInput("name shards or models: --shard N, --model NAME or both")
    return select_tasks(project, shards, names)


def check_model(project: Project, name: str) -> None:
    """Raise `BadInput` if the project has no model of that name."""
    with reading(project.database) as connection:
        select_models(projects.models(connection), [name])


def check_captioner(project: Project, name: str) -> None:
    """Raise `BadInput` if no captions are called so: those of a model, or `original`."""
    if name != "original":
        with reading(project.database) as connection:
            select_captioners(projects.models(connection), [name])


def check_device(project: Project, name: str) -> None:
    """Raise `BadInput` if the present run, or the last one, has no device of that name."""
    with reading(project.database) as connection:
        known = [device.id for device in supervisor_writes.devices(connection)]
    if known and name not in known:
        raise BadInput(f"the run has no device {name!r}: it has {', '.join(known)}")


def skipped_tasks(project: Project) -> list[int]:
    """Return the ids of all skipped tasks."""
    with reading(project.database) as connection:
        return list(matching_tasks(connection, "status:skipped"))


def parse_record_keys(project: Project, texts: Iterable[str]) -> list[RecordKey]:
    """Return the records that texts such as `7:120` or `7/120` name. Raises `BadInput`."""
    with reading(project.database) as connection:
        counts = {shard.number: shard.count for shard in projects.shards(connection)}
    return [parse_record_key(text, counts) for text in texts]


def parse_record_key(text: str, counts: dict[int, int]) -> RecordKey:
    """Return the record that a text such as `7:120` or `7/120` names.

    `counts` are the numbers of records by shard. Raises `BadInput` if there is no such record.
    """
    match = RECORD_KEY_PATTERN.fullmatch(text)
    if match is None:
        raise BadInput(f"{text!r}: write SHARD:PLACE, such as 7:120")
    shard, i = int(match[1]), int(match[2])
    if shard not in counts:
        raise BadInput(f"there is no record {text}: shards are 0 to {len(counts) - 1}")
    if i >= counts[shard]:
        raise BadInput(f"there is no record {text}: shard {shard} has 0 to {counts[shard] - 1}")
    return shard, i
