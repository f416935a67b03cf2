"""Failed records and failed tasks, grouped by what went wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, func, literal, null, select

from db.tables import FAILURE, MODEL, TASK

NO_ERROR = "(no reason)"
Grouping = Literal["cause", "model", "shard"]
GROUPINGS: tuple[Grouping, ...] = ("cause", "model", "shard")


@dataclass(frozen=True, slots=True)
class Cause:
    """Records that failed with one kind of error, or tasks that failed with one message."""

    scope: str
    """`record` or `shard`."""
    kind: str
    count: int
    shards: int
    models: tuple[str, ...]
    updated: float
    model_id: int | None = None
    """Of this model only."""
    shard: int | None = None
    """Of this shard only."""

    def same(self, other: Cause | None) -> bool:
        """Whether it is the same group, whatever its figures."""
        return other is not None and self.group == other.group

    @property
    def group(self) -> tuple[str, str, int | None, int | None]:
        return self.scope, self.kind, self.model_id, self.shard


@dataclass(frozen=True, slots=True)
class Occurrence:
    task_id: int
    shard: int
    model_id: int
    record: int | None
    """Place in the shard; None for a failed task."""
    detail: str
    device: str | None
    attempt: int
    updated: float


def causes(connection: Connection, by: Grouping = "cause") -> tuple[Cause, ...]:
    """Failed tasks first, then records, most first; or model by model, or shard by shard."""
    return tuple(
        Cause(
            scope,
            kind or NO_ERROR,
            count,
            shards,
            tuple(sorted(names.split(","))),
            updated or 0,
            model_id if by == "model" else None,
            shard if by == "shard" else None,
        )
        for query in grouped_queries(by)
        for scope, kind, count, shards, names, updated, model_id, shard in connection.execute(query)
        if count
    )


def grouped_queries(by: Grouping) -> list[Select[Any]]:
    """Of failed tasks, of failed records, of captions that were sheared to nothing."""
    within = {"cause": (), "model": (MODEL.c.position,), "shard": (TASK.c.shard,)}[by]
    aggregates = (
        func.count(TASK.c.shard.distinct()),
        func.group_concat(MODEL.c.name.distinct()),
        func.max(TASK.c.updated),
        func.min(TASK.c.model_id),
        func.min(TASK.c.shard),
    )
    error = func.coalesce(TASK.c.error, "")
    tasks = (
        select(literal("shard"), error, func.count(), *aggregates)
        .join(MODEL, MODEL.c.id == TASK.c.model_id)
        .where(TASK.c.state == "failed")
        .group_by(*within, error)
        .order_by(*within, func.count().desc())
    )
    records = (
        select(literal("record"), FAILURE.c.kind, func.sum(FAILURE.c.count), *aggregates)
        .join(TASK, TASK.c.id == FAILURE.c.task_id)
        .join(MODEL, MODEL.c.id == TASK.c.model_id)
        .group_by(*within, FAILURE.c.kind)
        .order_by(*within, func.sum(FAILURE.c.count).desc())
    )
    empty = (
        select(literal("record"), literal("empty"), func.sum(TASK.c.empty), *aggregates)
        .join(MODEL, MODEL.c.id == TASK.c.model_id)
        .where(TASK.c.empty > 0)
        .group_by(*within)
        .order_by(*within)
    )
    return [tasks, records, empty]


def occurrences(connection: Connection, cause: Cause, limit: int) -> tuple[Occurrence, ...]:
    """The first of them: up to 20 records a task are known here, all of them in the logs."""
    where = (TASK.c.id, TASK.c.shard, TASK.c.model_id, TASK.c.device, TASK.c.attempt)
    if cause.scope == "shard":
        query = select(*where, TASK.c.updated, TASK.c.error, null()).where(
            TASK.c.state == "failed",
            same_error(cause),
        )
    elif cause.kind == "empty":
        said = func.printf("%d captions were sheared to nothing", TASK.c.empty)
        query = select(*where, TASK.c.updated, said, null()).where(TASK.c.empty > 0)
    else:
        query = (
            select(*where, TASK.c.updated, literal(""), FAILURE.c.examples)
            .join(TASK, TASK.c.id == FAILURE.c.task_id)
            .where(FAILURE.c.kind == cause.kind)
        )
    found: list[Occurrence] = []
    ordered = query.where(*limits(cause)).order_by(TASK.c.shard, TASK.c.model_id).limit(limit)
    for task_id, shard, model_id, device, attempt, updated, detail, examples in connection.execute(
        ordered
    ):
        places = [(None, detail)] if examples is None else json.loads(examples)
        found += [
            Occurrence(task_id, shard, model_id, record, said or "", device, attempt, updated)
            for record, said in places
        ]
        if len(found) >= limit:
            break
    return tuple(found[:limit])


def tasks_of(connection: Connection, cause: Cause) -> tuple[int, ...]:
    """Every task in which it occurs."""
    query = select(TASK.c.id).where(*limits(cause)).order_by(TASK.c.shard, TASK.c.model_id)
    if cause.scope == "shard":
        query = query.where(TASK.c.state == "failed", same_error(cause))
    elif cause.kind == "empty":
        query = query.where(TASK.c.empty > 0)
    else:
        query = query.join(FAILURE, FAILURE.c.task_id == TASK.c.id)
        query = query.where(FAILURE.c.kind == cause.kind)
    return tuple(connection.execute(query).scalars())


def limits(cause: Cause) -> list[ColumnElement[bool]]:
    wanted = ((TASK.c.model_id, cause.model_id), (TASK.c.shard, cause.shard))
    return [column == value for column, value in wanted if value is not None]


def same_error(cause: Cause) -> ColumnElement[bool]:
    return func.coalesce(TASK.c.error, "") == ("" if cause.kind == NO_ERROR else cause.kind)


def counts_of(connection: Connection, kind: str) -> dict[int, int]:
    """Records that failed with this kind, by task."""
    rows = connection.execute(
        select(FAILURE.c.task_id, FAILURE.c.count).where(FAILURE.c.kind == kind)
    )
    return {task_id: count for task_id, count in rows}
