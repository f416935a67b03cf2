"""What the screens and `status` read: sums, recent history, samples, events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from db.rows import (
    TASK_STATES,
    AttemptRow,
    EventRow,
    FailureRow,
    SampleRow,
    SupervisorRow,
    TaskRow,
    ThroughputRow,
    WorkerRow,
)
from db.tables import ATTEMPT, EVENT, FAILURE, SAMPLE, SHARD, SUPERVISOR, TASK, THROUGHPUT, WORKER
from db.values import columns


@dataclass(frozen=True, slots=True)
class Sums:
    """Tasks and records of one model in one state."""

    model_id: int
    state: str
    tasks: int
    total: int
    captioned: int
    failed: int
    empty: int
    left: int


def sums(connection: Connection) -> tuple[Sums, ...]:
    rows = connection.execute(
        select(
            TASK.c.model_id,
            TASK.c.state,
            func.count().label("tasks"),
            func.sum(TASK.c.count).label("total"),
            func.sum(TASK.c.captioned).label("captioned"),
            func.sum(TASK.c.failed).label("failed"),
            func.sum(TASK.c.empty).label("empty"),
            func.sum(TASK.c.left).label("left"),
        ).group_by(TASK.c.model_id, TASK.c.state)
    )
    return tuple(Sums(**row._asdict()) for row in rows)


def tasks_by_state(rows: Sequence[Sums]) -> dict[str, int]:
    return {state: sum(row.tasks for row in rows if row.state == state) for state in TASK_STATES}


def totals(connection: Connection) -> tuple[int, int]:
    """Shards and records of the project."""
    row = connection.execute(select(func.count(), func.coalesce(func.sum(SHARD.c.count), 0)))
    count, records = row.one()
    return count, records


def data_version(connection: Connection) -> int:
    """Changes on an open connection whenever another connection has committed."""
    return int(connection.execute(text("PRAGMA data_version")).scalar_one())


def supervisor(connection: Connection) -> SupervisorRow | None:
    """As last written; whether that process still lives is `engine.process.identity`'s to say."""
    row = connection.execute(
        select(*columns(SUPERVISOR, SupervisorRow)).where(SUPERVISOR.c.pid > 0)
    ).one_or_none()
    return None if row is None else SupervisorRow(**row._asdict())


def last_devices(connection: Connection) -> str | None:
    """Where the project runs or ran last; None before its first run."""
    devices: str | None = connection.execute(select(SUPERVISOR.c.devices)).scalar_one_or_none()
    return devices


def workers(connection: Connection) -> tuple[WorkerRow, ...]:
    """Those not known to have ended, by device."""
    rows = connection.execute(
        select(*columns(WORKER, WorkerRow))
        .where(WORKER.c.ended.is_(None))
        .order_by(func.length(WORKER.c.device), WORKER.c.device)
    )
    return tuple(WorkerRow(**row._asdict()) for row in rows)


def throughput(connection: Connection, since_minute: int) -> tuple[ThroughputRow, ...]:
    rows = connection.execute(
        select(*columns(THROUGHPUT, ThroughputRow))
        .where(THROUGHPUT.c.minute >= since_minute)
        .order_by(THROUGHPUT.c.minute)
    )
    return tuple(ThroughputRow(**row._asdict()) for row in rows)


def images_by_minute(
    connection: Connection, since_minute: int = 0, step: int = 1
) -> tuple[tuple[int, int, int], ...]:
    """Minutes since the epoch (every `step`-th), model ids and images, oldest first."""
    minute = (THROUGHPUT.c.minute - THROUGHPUT.c.minute % step).label("at")
    rows = connection.execute(
        select(minute, THROUGHPUT.c.model_id, func.sum(THROUGHPUT.c.images))
        .where(THROUGHPUT.c.minute >= since_minute)
        .group_by(minute, THROUGHPUT.c.model_id)
        .order_by(minute, THROUGHPUT.c.model_id)
    )
    return tuple((at, model_id, images) for at, model_id, images in rows)


def first_minute(connection: Connection) -> int | None:
    """The first minute in which anything was captioned."""
    minute: int | None = connection.execute(select(func.min(THROUGHPUT.c.minute))).scalar_one()
    return minute


def events(connection: Connection, limit: int) -> tuple[EventRow, ...]:
    """Newest first."""
    rows = connection.execute(
        select(*columns(EVENT, EventRow)).order_by(EVENT.c.id.desc()).limit(limit)
    )
    return tuple(EventRow(**row._asdict()) for row in rows)


def samples(
    connection: Connection, limit: int, model_id: int | None = None
) -> tuple[SampleRow, ...]:
    """Newest first."""
    query = select(*columns(SAMPLE, SampleRow)).order_by(SAMPLE.c.id.desc()).limit(limit)
    if model_id is not None:
        query = query.where(SAMPLE.c.model_id == model_id)
    return tuple(SampleRow(**row._asdict()) for row in connection.execute(query))


def samples_of(connection: Connection, shard: int, i: int) -> tuple[SampleRow, ...]:
    """What the ring holds of one record, newest first."""
    query = select(*columns(SAMPLE, SampleRow)).where(SAMPLE.c.shard == shard, SAMPLE.c.i == i)
    rows = connection.execute(query.order_by(SAMPLE.c.id.desc()))
    return tuple(SampleRow(**row._asdict()) for row in rows)


def attempts(connection: Connection, task_id: int) -> tuple[AttemptRow, ...]:
    """Oldest first."""
    rows = connection.execute(
        select(*columns(ATTEMPT, AttemptRow))
        .where(ATTEMPT.c.task_id == task_id)
        .order_by(ATTEMPT.c.number)
    )
    return tuple(AttemptRow(**row._asdict()) for row in rows)


def failures(connection: Connection, task_id: int | None = None) -> tuple[FailureRow, ...]:
    """Failed records by task and kind, most first."""
    query = select(*columns(FAILURE, FailureRow)).order_by(FAILURE.c.count.desc())
    if task_id is not None:
        query = query.where(FAILURE.c.task_id == task_id)
    return tuple(
        FailureRow(**(row | {"examples": tuple((i, d) for i, d in json.loads(row["examples"]))}))
        for row in map(dict, connection.execute(query).mappings())
    )


def failures_by_kind(connection: Connection) -> dict[tuple[int, str], int]:
    """Failed records by model id and kind."""
    rows = connection.execute(
        select(TASK.c.model_id, FAILURE.c.kind, func.sum(FAILURE.c.count).label("records"))
        .join(TASK, TASK.c.id == FAILURE.c.task_id)
        .group_by(TASK.c.model_id, FAILURE.c.kind)
    )
    return {(row.model_id, row.kind): row.records for row in rows}


def running_tasks(connection: Connection) -> tuple[TaskRow, ...]:
    rows = connection.execute(select(*columns(TASK, TaskRow)).where(TASK.c.state == "running"))
    return tuple(TaskRow(**row._asdict()) for row in rows)


def task(connection: Connection, task_id: int) -> TaskRow | None:
    row = connection.execute(
        select(*columns(TASK, TaskRow)).where(TASK.c.id == task_id)
    ).one_or_none()
    return None if row is None else TaskRow(**row._asdict())


def chosen_tasks(
    connection: Connection,
    shards: Sequence[int] = (),
    model_ids: Sequence[int] = (),
    only_failed: bool = False,
    with_failed_records: bool = False,
) -> tuple[int, ...]:
    """Ids of the tasks of these shards and models (none named: of all)."""
    query = select(TASK.c.id).order_by(TASK.c.shard, TASK.c.model_id)
    if shards:
        query = query.where(TASK.c.shard.in_(shards))
    if model_ids:
        query = query.where(TASK.c.model_id.in_(model_ids))
    if only_failed:
        query = query.where(TASK.c.state == "failed")
    if with_failed_records:
        query = query.where(TASK.c.failed > 0)
    return tuple(connection.execute(query).scalars())


def shards_with_captions(connection: Connection) -> tuple[int, ...]:
    """Numbers of the shards of which any model has captioned anything."""
    query = select(TASK.c.shard).where(TASK.c.captioned > 0).distinct().order_by(TASK.c.shard)
    return tuple(connection.execute(query).scalars())
