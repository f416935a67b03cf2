"""The project itself, its models, shards and tasks.

`new` writes them once; the holder of the project's lock changes settings and models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, select, update

from db.rows import ModelRow, PauseCause, ProjectRow, ShardRow, ShearMode, TaskRow
from db.tables import MODEL, PROJECT, SHARD, TASK
from db.values import columns, storable

SHARD_NUMBER_LIMIT = 2**63
"""The number from which on SQLite holds no integer, and no shard."""


def create(
    connection: Connection,
    project: ProjectRow,
    models: Sequence[ModelRow],
    shards: Sequence[ShardRow],
) -> None:
    """Fill a freshly migrated database; every shard gets a task for every model."""
    values = asdict(project) | {"id": 1, "path_map": json.dumps(project.path_map)}
    connection.execute(insert(PROJECT), [storable(values)])
    connection.execute(insert(MODEL), [model_values(model) for model in models])
    connection.execute(insert(SHARD), [asdict(shard) for shard in shards])
    add_tasks(connection, (model.id for model in models), shards)


def add_tasks(connection: Connection, model_ids: Iterable[int], shards: Sequence[ShardRow]) -> None:
    """Insert a pending task for every one of these models and shards."""
    tasks = [
        {"shard": shard.number, "model_id": model_id, "count": shard.count, "left": shard.count}
        for model_id in model_ids
        for shard in shards
    ]
    connection.execute(insert(TASK), tasks)


def model_values(model: ModelRow) -> dict[str, Any]:
    """Return the model as the columns of its table."""
    return storable(asdict(model) | {"settings": json.dumps(model.settings)})


def project(connection: Connection) -> ProjectRow:
    """Return the project's only row."""
    row = connection.execute(select(*columns(PROJECT, ProjectRow))).one()._asdict()
    row["path_map"] = tuple((old, new) for old, new in json.loads(row["path_map"]))
    return ProjectRow(**row)


def models(connection: Connection) -> tuple[ModelRow, ...]:
    """Return the models in project order."""
    rows = connection.execute(select(*columns(MODEL, ModelRow)).order_by(MODEL.c.position))
    return tuple(
        ModelRow(**(row._asdict() | {"settings": json.loads(row.settings)})) for row in rows
    )


def shards(connection: Connection) -> tuple[ShardRow, ...]:
    """Return all shards in order."""
    rows = connection.execute(select(*columns(SHARD, ShardRow)).order_by(SHARD.c.number))
    return tuple(ShardRow(**row._asdict()) for row in rows)


def shard(connection: Connection, number: int) -> ShardRow | None:
    """Return the shard with this number, or None."""
    if not 0 <= number < SHARD_NUMBER_LIMIT:
        return None
    row = connection.execute(
        select(*columns(SHARD, ShardRow)).where(SHARD.c.number == number)
    ).one_or_none()
    return None if row is None else ShardRow(**row._asdict())


def tasks(connection: Connection) -> tuple[TaskRow, ...]:
    """Return every task, by shard and then model."""
    rows = connection.execute(
        select(*columns(TASK, TaskRow)).order_by(TASK.c.shard, TASK.c.model_id)
    )
    return tuple(TaskRow(**row._asdict()) for row in rows)


def tasks_of_shard(connection: Connection, shard: int) -> dict[int, TaskRow]:
    """Return the tasks of a shard by model id."""
    rows = connection.execute(select(*columns(TASK, TaskRow)).where(TASK.c.shard == shard))
    return {row.model_id: TaskRow(**row._asdict()) for row in rows}


def set_paused(
    connection: Connection, paused: bool, reason: str | None, cause: PauseCause | None = None
) -> None:
    """Pause the project, for a cause and a reason that people read, or let it go on."""
    values = {"paused": paused, "pause_reason": reason, "pause_cause": cause}
    connection.execute(update(PROJECT).values(storable(values)))


def set_shearing(connection: Connection, mode: ShearMode, max_words: int | None) -> None:
    """Change how captions are sheared; `max_words` is a cap, None means none."""
    connection.execute(update(PROJECT).values(shear_mode=mode, shear_max_words=max_words))


def forget_witness(connection: Connection) -> None:
    """Remove the image that is probed when images go missing (`ProjectRow.witness`)."""
    connection.execute(update(PROJECT).values(witness=None))


def add_model(connection: Connection, model: ModelRow, shards: Sequence[ShardRow]) -> None:
    """Insert a model, with a task for every shard."""
    connection.execute(insert(MODEL), [model_values(model)])
    add_tasks(connection, [model.id], shards)


def save_model(connection: Connection, model: ModelRow) -> None:
    """Overwrite the model that has this id."""
    connection.execute(update(MODEL).where(MODEL.c.id == model.id).values(**model_values(model)))
