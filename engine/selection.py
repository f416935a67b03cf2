"""Which tasks a command speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from db import progress, projects
from db.connect import reading
from db.pages import matching_tasks
from db.rows import ModelRow
from engine.errors import BadInput
from engine.project import Project


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
