"""Queries of what goes on: sums over tasks, supervisor and workers, history, samples, events.

The screens and the command `status` read them, and nothing here writes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select, text

from db.rows import (
    TASK_STATES,
    AttemptRow,
    EventRow,
    FailureRow,
    SampleRow,
    SupervisorRow,
    TaskRow,
    WorkerRow,
)
from db.tables import ATTEMPT, EVENT, FAILURE, SAMPLE, SHARD, SUPERVISOR, TASK, THROUGHPUT, WORKER
from db.values import columns


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSums:
    """The tasks of one model in one state, and sums over their records.

    The fields below `total` are sums of the fields of `TaskRow` by the same names.
    """

    model_id: int
    state: str
    tasks: int
    """Number of tasks."""
    total: int
    """Number of records."""
    captioned: int
    failed: int
    empty: int
    left: int
    asked: int
    asked_left: int
    """The sum of `left` over tasks of which records were asked for again."""


def task_sums(connection: Connection) -> tuple[TaskSums, ...]:
    """Return one entry per model and state that has a task."""
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
            func.sum(TASK.c.asked).label("asked"),
            func.sum(case((TASK.c.asked > 0, TASK.c.left), else_=0)).label("asked_left"),
        ).group_by(TASK.c.model_id, TASK.c.state)
    )
    return tuple(TaskSums(**row._asdict()) for row in rows)


def waiting_for_captions(connection: Connection, scorers: Sequence[int]) -> dict[int, int]:
    """Return, by model id, how many pending tasks of scorers wait for captions of their shard.

    They do until no captioner's task of the shard is pending or running.
    """
    if not scorers:
        return {}
    captioning = TASK.alias()
    is_captioned = (
        select(captioning.c.id)
        .where(
            captioning.c.shard == TASK.c.shard,
            captioning.c.model_id.not_in(scorers),
            captioning.c.state.in_(("pending", "running")),
        )
        .exists()
    )
    rows = connection.execute(
        select(TASK.c.model_id, func.count())
        .where(TASK.c.model_id.in_(scorers), TASK.c.state == "pending", is_captioned)
        .group_by(TASK.c.model_id)
    )
    return {model_id: tasks for model_id, tasks in rows}


def seconds_per_image(connection: Connection) -> dict[int, float]:
    """Return how many seconds a device took for an image so far, by model id.

    Models that have made no caption here are left out.
    """
    seconds, images = func.sum(TASK.c.seconds), func.sum(TASK.c.captioned)
    query = select(TASK.c.model_id, seconds / images).group_by(TASK.c.model_id)
    rows = connection.execute(query.having(images > 0, seconds > 0))
    return {model_id: value for model_id, value in rows}


def first_due(connection: Connection) -> dict[int, float]:
    """Return, by model id, when the first of a model's pending tasks may start; 0 means now."""
    rows = connection.execute(
        select(TASK.c.model_id, func.min(TASK.c.not_before))
        .where(TASK.c.state == "pending")
        .group_by(TASK.c.model_id)
    )
    return {model_id: not_before for model_id, not_before in rows}


def tasks_by_state(rows: Sequence[TaskSums]) -> dict[str, int]:
    """Return the number of tasks of all models in each state, 0 among them."""
    return {state: sum(row.tasks for row in rows if row.state == state) for state in TASK_STATES}


def last_finished(connection: Connection) -> float | None:
    """Return when the last task became done or failed, None if none has."""
    last: float | None = connection.execute(select(func.max(TASK.c.finished))).scalar_one()
    return last


def totals(connection: Connection) -> tuple[int, int]:
    """Return the numbers of shards and of records of the project."""
    row = connection.execute(select(func.count(), func.coalesce(func.sum(SHARD.c.count), 0)))
    shards, records = row.one()
    return shards, records


def data_version(connection: Connection) -> int:
    """Return a number that changes on an open connection whenever another one has committed."""
    return int(connection.execute(text("PRAGMA data_version")).scalar_one())


def supervisor(connection: Connection) -> SupervisorRow | None:
    """Return the supervisor as last written, or None if it ended in order.

    Its process may be gone all the same: `engine.process.identity.is_alive` tells.
    """
    row = connection.execute(
        select(*columns(SUPERVISOR, SupervisorRow)).where(SUPERVISOR.c.pid > 0)
    ).one_or_none()
    return None if row is None else SupervisorRow(**row._asdict())


def last_devices(connection: Connection) -> str | None:
    """Return the devices that the present or last run was told to use; None before the first."""
    devices: str | None = connection.execute(select(SUPERVISOR.c.devices)).scalar_one_or_none()
    return devices


def last_boot(connection: Connection) -> str | None:
    """Return the boot in which the present or last run was started; None before the first."""
    boot_id: str | None = connection.execute(select(SUPERVISOR.c.boot_id)).scalar_one_or_none()
    return boot_id


def workers(connection: Connection) -> tuple[WorkerRow, ...]:
    """Return the workers that are not known to have ended, by device."""
    rows = connection.execute(
        select(*columns(WORKER, WorkerRow))
        .where(WORKER.c.ended.is_(None))
        .order_by(func.length(WORKER.c.device), WORKER.c.device)
    )
    return tuple(WorkerRow(**row._asdict()) for row in rows)


def images_by_minute(
    connection: Connection, since_minute: int = 0, step: int = 1
) -> tuple[tuple[int, int, int], ...]:
    """Return (minute, model id, images) over all devices, oldest first.

    Minutes are counted since the epoch, and summed up by `step` at a time.
    """
    minute = (THROUGHPUT.c.minute - THROUGHPUT.c.minute % step).label("minute_group")
    rows = connection.execute(
        select(minute, THROUGHPUT.c.model_id, func.sum(THROUGHPUT.c.images))
        .where(THROUGHPUT.c.minute >= since_minute)
        .group_by(minute, THROUGHPUT.c.model_id)
        .order_by(minute, THROUGHPUT.c.model_id)
    )
    return tuple((group, model_id, images) for group, model_id, images in rows)


def first_minute(connection: Connection) -> int | None:
    """Return the first minute (since the epoch) in which anything was captioned, or None."""
    minute: int | None = connection.execute(select(func.min(THROUGHPUT.c.minute))).scalar_one()
    return minute


def events(connection: Connection, limit: int) -> tuple[EventRow, ...]:
    """Return the last `limit` events, newest first."""
    rows = connection.execute(
        select(*columns(EVENT, EventRow)).order_by(EVENT.c.id.desc()).limit(limit)
    )
    return tuple(EventRow(**row._asdict()) for row in rows)


def last_event_id(connection: Connection) -> int:
    """Return the id of the newest event, 0 if there is none."""
    newest: int | None = connection.execute(select(func.max(EVENT.c.id))).scalar_one()
    return newest or 0


def events_after(
    connection: Connection, event_id: int, limit: int
) -> tuple[tuple[int, EventRow], ...]:
    """Return the first `limit` events after the one with this id, as (id, event), oldest first."""
    rows = connection.execute(
        select(EVENT.c.id, *columns(EVENT, EventRow))
        .where(EVENT.c.id > event_id)
        .order_by(EVENT.c.id)
        .limit(limit)
    )
    found = []
    for row in rows:
        values = row._asdict()
        found.append((values.pop("id"), EventRow(**values)))
    return tuple(found)


def samples(connection: Connection, limit: int) -> tuple[SampleRow, ...]:
    """Return the last `limit` samples, newest first."""
    query = select(*columns(SAMPLE, SampleRow)).order_by(SAMPLE.c.id.desc()).limit(limit)
    return tuple(SampleRow(**row._asdict()) for row in connection.execute(query))


def attempts(connection: Connection, task_id: int) -> tuple[AttemptRow, ...]:
    """Return the attempts at a task, oldest first."""
    rows = connection.execute(
        select(*columns(ATTEMPT, AttemptRow))
        .where(ATTEMPT.c.task_id == task_id)
        .order_by(ATTEMPT.c.number)
    )
    return tuple(AttemptRow(**row._asdict()) for row in rows)


def failures(connection: Connection, task_id: int | None = None) -> tuple[FailureRow, ...]:
    """Return the failed records of one task or of all, by task and kind, most frequent first."""
    query = select(*columns(FAILURE, FailureRow)).order_by(FAILURE.c.count.desc())
    if task_id is not None:
        query = query.where(FAILURE.c.task_id == task_id)
    return tuple(
        FailureRow(
            **(row | {"examples": tuple((i, detail) for i, detail in json.loads(row["examples"]))})
        )
        for row in map(dict, connection.execute(query).mappings())
    )


def running_tasks(connection: Connection) -> tuple[TaskRow, ...]:
    """Return the tasks that are with a worker."""
    rows = connection.execute(select(*columns(TASK, TaskRow)).where(TASK.c.state == "running"))
    return tuple(TaskRow(**row._asdict()) for row in rows)


def task(connection: Connection, task_id: int) -> TaskRow | None:
    """Return the task with this id, or None."""
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
    """Return the ids of the tasks of these shards and models; no shards or no models means all.

    `only_failed` takes only tasks that failed, `with_failed_records` only tasks with failed
    records.
    """
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
    """Return the numbers of the shards of which any model has captioned anything."""
    query = select(TASK.c.shard).where(TASK.c.captioned > 0).distinct().order_by(TASK.c.shard)
    return tuple(connection.execute(query).scalars())
