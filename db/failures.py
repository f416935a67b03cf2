"""Queries of failed records and failed tasks, grouped by what went wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, null, select, true

from db.rows import FailedImages, TaskErrorCause
from db.tables import ATTEMPT, FAILURE, MODEL, TASK

NO_ERROR = "(no reason)"
"""The kind of a failed task that has no error."""
LAST_ATTEMPT = and_(ATTEMPT.c.task_id == TASK.c.id, ATTEMPT.c.number == TASK.c.attempt)
"""Joins a task with its last attempt, if it had one."""
Grouping = Literal["cause", "model", "shard"]
GROUPINGS: tuple[Grouping, ...] = ("cause", "model", "shard")
"""The ways to group failures. `model` and `shard` split every cause further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Records that failed with one kind of error, or tasks that failed with one message.

    Its figures are over one model or one shard alone if `model_id` or `shard` is set.
    """

    scope: Literal["record", "shard"]
    """`record` for failed records, `shard` for failed tasks."""
    kind: str
    """The kind of error of the records, or the message of the tasks."""
    count: int
    """Number of failed tasks; of failed records, or captions that were sheared to nothing, those of
    each model."""
    shards: int
    """Number of shards in which they are."""
    models: tuple[str, ...]
    """Names of the models that they failed with."""
    failed_at: float
    """When the last of them failed, in seconds since the epoch (`failure_time`)."""
    images: FailedImages | None = None
    """The images of failed records, each counted once; None for tasks, and for captions that were
    sheared to nothing."""
    error_cause: TaskErrorCause | None = None
    """Why the tasks failed; None if it is not known, and for records."""
    model_id: int | None = None
    shard: int | None = None

    def same_group(self, other: Cause | None) -> bool:
        """Return True if `other` is the same group, whatever its figures."""
        return other is not None and self.group == other.group

    @property
    def group(self) -> tuple[str, str, int | None, int | None]:
        """The fields that tell one group from another."""
        return self.scope, self.kind, self.model_id, self.shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One record that failed, or one task that failed, for a cause."""

    task_id: int
    shard: int
    model_id: int
    index: int | None
    """The record's index in the shard; None for a failed task, and for captions that were sheared
    to nothing, which are counted only."""
    detail: str
    """The error's detail, as a text for people."""
    device: str | None
    """Id of the device of the task's last attempt."""
    attempt: int
    """Number of that attempt."""
    failed_at: float
    """When it failed, in seconds since the epoch (`failure_time`)."""


def causes(connection: Connection, by: Grouping = "cause") -> tuple[Cause, ...]:
    """Return all causes: those of failed tasks first, then those of records, most frequent first.

    Grouped by model or by shard, they are in that order first.
    """
    within = {"cause": (), "model": (TASK.c.model_id,), "shard": (TASK.c.shard,)}[by]
    images = images_within(connection, FAILURE.c.kind, *within)
    return tuple(
        Cause(
            scope=row.scope,
            kind=row.kind,
            count=row.failures,
            shards=row.shards,
            models=tuple(sorted(row.models.split(","))),
            failed_at=row.failed_at or 0,
            images=images_of(images, row, by),
            error_cause=row.error_cause,
            model_id=row.model_id if by == "model" else None,
            shard=row.shard if by == "shard" else None,
        )
        for query in grouped_queries(by)
        for row in connection.execute(query)
        if row.failures
    )


def images_of(
    images: dict[tuple[Any, ...], FailedImages], row: Any, by: Grouping
) -> FailedImages | None:
    """Return the images of one row of the queries below, None if it is about no failed records."""
    if row.scope != "record":
        return None
    return images.get(
        (row.kind, *{"cause": (), "model": (row.model_id,), "shard": (row.shard,)}[by])
    )


def grouped_queries(by: Grouping) -> list[Select[Any]]:
    """Return three queries: of failed tasks, failed records, captions sheared to nothing."""
    within = {"cause": (), "model": (MODEL.c.position,), "shard": (TASK.c.shard,)}[by]
    tasks = (
        grouped("shard", error_text(), func.count(), func.min(TASK.c.error_cause))
        .where(TASK.c.state == "failed")
        .group_by(*within, error_text())
        .order_by(*within, func.count().desc())
    )
    records = (
        grouped("record", FAILURE.c.kind, func.sum(FAILURE.c.count))
        .join(FAILURE, FAILURE.c.task_id == TASK.c.id)
        .group_by(*within, FAILURE.c.kind)
        .order_by(*within, func.sum(FAILURE.c.count).desc())
    )
    empty = (
        grouped("record", literal("empty"), func.sum(TASK.c.empty))
        .where(TASK.c.empty > 0)
        .group_by(*within)
        .order_by(*within)
    )
    return [tasks, records, empty]


def grouped(
    scope: str,
    kind: ColumnElement[str],
    failures: ColumnElement[int],
    error_cause: ColumnElement[Any] | None = None,
) -> Select[Any]:
    """Return a query over tasks and their models with the columns that `causes` reads."""
    return (
        select(
            literal(scope).label("scope"),
            kind.label("kind"),
            failures.label("failures"),
            (null() if error_cause is None else error_cause).label("error_cause"),
            func.count(TASK.c.shard.distinct()).label("shards"),
            func.group_concat(MODEL.c.name.distinct()).label("models"),
            func.max(failure_time(scope)).label("failed_at"),
            func.min(TASK.c.model_id).label("model_id"),
            func.min(TASK.c.shard).label("shard"),
        )
        .select_from(TASK)
        .join(MODEL, MODEL.c.id == TASK.c.model_id)
        .outerjoin(ATTEMPT, LAST_ATTEMPT)
    )


def failure_time(scope: str) -> ColumnElement[float]:
    """Return when a task failed, or when the last attempt ended in which its records did.

    It is that of the attempt: a task also changes when it is sheared again or skipped. The attempt
    at hand counts from its beginning; without one, as after an import, the task does.
    """
    attempt_time = func.coalesce(ATTEMPT.c.ended, ATTEMPT.c.started)
    first = (TASK.c.finished, attempt_time) if scope == "shard" else (attempt_time, TASK.c.finished)
    return func.coalesce(*first, TASK.c.updated)


def occurrences(connection: Connection, cause: Cause, limit: int) -> tuple[Occurrence, ...]:
    """Return the first `limit` occurrences of a cause, by shard and model.

    The database holds up to 20 records per task and kind, the caption logs hold all of them.
    """
    task_columns = (
        *(TASK.c.id, TASK.c.shard, TASK.c.model_id, TASK.c.device, TASK.c.attempt),
        failure_time(cause.scope),
    )
    query: Select[Any]
    if cause.scope == "shard":
        query = select(*task_columns, TASK.c.error, null()).where(
            TASK.c.state == "failed", error_text() == cause.kind
        )
    elif cause.kind == "empty":
        detail_text = func.printf("%d captions were sheared to nothing", TASK.c.empty)
        query = select(*task_columns, detail_text, null()).where(TASK.c.empty > 0)
    else:
        query = (
            select(*task_columns, literal(""), FAILURE.c.examples)
            .join(FAILURE, FAILURE.c.task_id == TASK.c.id)
            .where(FAILURE.c.kind == cause.kind)
        )
    query = query.outerjoin(ATTEMPT, LAST_ATTEMPT)
    query = query.where(*group_conditions(cause)).order_by(TASK.c.shard, TASK.c.model_id)
    result: list[Occurrence] = []
    for row in connection.execute(query.limit(limit)):
        task_id, shard, model_id, device, attempt, failed_at, task_detail, examples = row
        details = [(None, task_detail)] if examples is None else json.loads(examples)
        result += [
            Occurrence(
                task_id=task_id,
                shard=shard,
                model_id=model_id,
                index=index,
                detail=detail or "",
                device=device,
                attempt=attempt,
                failed_at=failed_at or 0,
            )
            for index, detail in details
        ]
        if len(result) >= limit:
            break
    return tuple(result[:limit])


def tasks_with_cause(connection: Connection, cause: Cause) -> tuple[int, ...]:
    """Return the ids of all tasks in which the cause occurs."""
    query = select(TASK.c.id).where(*group_conditions(cause))
    query = query.order_by(TASK.c.shard, TASK.c.model_id)
    if cause.scope == "shard":
        query = query.where(TASK.c.state == "failed", error_text() == cause.kind)
    elif cause.kind == "empty":
        query = query.where(TASK.c.empty > 0)
    else:
        query = query.join(FAILURE, FAILURE.c.task_id == TASK.c.id)
        query = query.where(FAILURE.c.kind == cause.kind)
    return tuple(connection.execute(query).scalars())


def error_text() -> ColumnElement[str]:
    """Return the error of a task, or what stands for it if it has none."""
    return func.coalesce(func.nullif(TASK.c.error, ""), NO_ERROR)


def group_conditions(cause: Cause) -> list[ColumnElement[bool]]:
    """Return the conditions that keep to the cause's model or shard, if it has one."""
    values = ((TASK.c.model_id, cause.model_id), (TASK.c.shard, cause.shard))
    return [column == value for column, value in values if value is not None]


def failed_images(connection: Connection) -> FailedImages:
    """Return how many images failed with any model, each counted once."""
    return images_within(connection).get((), FailedImages())


def images_within(
    connection: Connection, *within: ColumnElement[Any]
) -> dict[tuple[Any, ...], FailedImages]:
    """Return how many images failed, each counted once, by the values of these columns.

    They are columns of failures and of their tasks. Without any, the key is empty.
    """
    named = func.json_each(FAILURE.c.examples).table_valued("value").alias("named")
    index = func.json_extract(named.c.value, "$[0]")
    keys = [column.label(f"within_{number}") for number, column in enumerate(within)]
    of_tasks = select(*keys, TASK.c.shard).join(FAILURE, FAILURE.c.task_id == TASK.c.id)
    by_shard = (
        of_tasks.add_columns(func.count(index.distinct()))
        .join(named, true())
        .group_by(*within, TASK.c.shard)
    )
    images = {tuple(row[:-1]): row[-1] for row in connection.execute(by_shard)}
    by_task = (
        of_tasks.add_columns(func.sum(FAILURE.c.count))
        .where(FAILURE.c.count > func.json_array_length(FAILURE.c.examples))
        .group_by(*within, TASK.c.shard, TASK.c.id)
    )
    totals: Counter[tuple[Any, ...]] = Counter()
    inexact = set()
    for *key, failed in connection.execute(by_task):  # where not all are named
        images[tuple(key)] = max(images.get(tuple(key), 0), failed)
        inexact.add(tuple(key[:-1]))
    for key_and_shard, count in images.items():
        totals[key_and_shard[:-1]] += count
    at_most = (
        select(*keys, func.sum(FAILURE.c.count))
        .join(TASK, TASK.c.id == FAILURE.c.task_id)
        .group_by(*within)
    )
    return {
        key: FailedImages(totals[key], key not in inexact or totals[key] == failed)
        for *values, failed in connection.execute(at_most)
        for key in [tuple(values)]
    }


def failed_counts(connection: Connection, kind: str) -> dict[int, int]:
    """Return the number of records that failed with this kind of error, by task id."""
    rows = connection.execute(
        select(FAILURE.c.task_id, FAILURE.c.count).where(FAILURE.c.kind == kind)
    )
    return {task_id: count for task_id, count in rows}
