"""Writes of the supervisor, about once a second and in one transaction.

Beside them stands what it reads back when it starts: known devices and batch sizes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from functools import cache
from typing import Any

from sqlalchemy import Connection, Delete, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as upsert

from db.rows import (
    AttemptOutcome,
    AttemptRow,
    DeviceRow,
    EventRow,
    FailureRow,
    SampleRow,
    SupervisorRow,
    TaskRow,
    ThroughputRow,
    WorkerRow,
)
from db.tables import (
    ATTEMPT,
    BATCH_SIZE,
    DEVICE,
    EVENT,
    FAILURE,
    SAMPLE,
    SUPERVISOR,
    TASK,
    THROUGHPUT,
    WORKER,
)
from db.values import columns, storable

SAMPLE_RING_SIZE = 2_000
"""Samples that the database holds; older ones are deleted."""
MAX_EVENTS = 20_000
"""Events that the database holds; older ones are deleted."""


TASK_COLUMNS = tuple(field.name for field in fields(TaskRow) if field.name != "id")
UPDATE_TASK = (
    update(TASK)
    .where(TASK.c.id == bindparam("task_id"), TASK.c.state == bindparam("expected"))
    .values({name: bindparam(f"new_{name}") for name in TASK_COLUMNS})
)
"""Writes the whole row of a task that still is in the state `expected`."""


INSERT_THROUGHPUT = upsert(THROUGHPUT)
ADD_THROUGHPUT = INSERT_THROUGHPUT.on_conflict_do_update(
    ["minute", "device", "model_id"],
    set_={
        name: THROUGHPUT.c[name] + INSERT_THROUGHPUT.excluded[name] for name in ("images", "tokens")
    },
)
"""Adds to the images and tokens of a minute."""


class TaskConflict(Exception):
    """Raised if a task was changed by someone who is not the supervisor."""


def save_tasks(connection: Connection, changed: Iterable[tuple[TaskRow, TaskRow]]) -> None:
    """Write changed tasks, given as pairs (as last saved, as they are now).

    Raises `TaskConflict` if one is not in the state in which it was last saved.
    """
    values = [
        storable({f"new_{name}": getattr(now, name) for name in TASK_COLUMNS})
        | {"task_id": now.id, "expected": before.state}
        for before, now in changed
    ]
    if values and connection.execute(UPDATE_TASK, values).rowcount != len(values):
        raise TaskConflict("a task was changed while the supervisor ran")


def save_attempts(connection: Connection, attempts: Sequence[AttemptRow]) -> None:
    """Insert new attempts and update known ones."""
    # Ended ones first: unique indexes allow one open attempt per task and per worker.
    ordered = sorted(attempts, key=lambda attempt: attempt.ended is None)
    save_rows(connection, ATTEMPT, ["task_id", "number"], ordered)


def close_attempts(connection: Connection, at: float, outcome: AttemptOutcome) -> None:
    """End the attempts and workers that an earlier supervisor left open.

    They ended at `at`, in seconds since the epoch; `outcome` is that of the attempts.
    """
    ended = func.max(ATTEMPT.c.started, at)  # never before it began, whatever the clock did
    connection.execute(
        update(ATTEMPT).where(ATTEMPT.c.ended.is_(None)).values(ended=ended, outcome=outcome)
    )
    connection.execute(update(WORKER).where(WORKER.c.ended.is_(None)).values(ended=at))


def save_supervisor(connection: Connection, supervisor: SupervisorRow) -> None:
    """Make this the supervisor of the present run."""
    values = asdict(supervisor) | {"id": 1}
    names = tuple(field.name for field in fields(SupervisorRow))
    connection.execute(insert_or_update(SUPERVISOR, ("id",), names), values)


def forget_supervisor(connection: Connection) -> None:
    """Note that the run has ended. Its devices stay, for `db.progress.last_devices`."""
    connection.execute(update(SUPERVISOR).values(pid=0))


def set_devices(connection: Connection, devices: Sequence[DeviceRow]) -> None:
    """Make these the devices of the present run.

    Others stay in the table, for their pins, but are not present. A known device keeps its pin and
    its last measurements.
    """
    connection.execute(update(DEVICE).values(present=False))
    if devices:
        names = ("label", "uuid", "memory_total", "state", "rest_until", "present")
        rows = [storable(asdict(device) | {"present": True}) for device in devices]
        connection.execute(insert_or_update(DEVICE, ("id",), names), rows)


def save_devices(connection: Connection, devices: Sequence[DeviceRow]) -> None:
    """Insert or update devices, pins and measurements included."""
    save_rows(connection, DEVICE, ["id"], devices)


def devices(connection: Connection, present: bool = True) -> tuple[DeviceRow, ...]:
    """Return the devices of the present or last run, or with `present=False` all known ones."""
    query = select(*columns(DEVICE, DeviceRow)).order_by(func.length(DEVICE.c.id), DEVICE.c.id)
    rows = connection.execute(query.where(DEVICE.c.present) if present else query)
    return tuple(DeviceRow(**row._asdict()) for row in rows)


def save_workers(connection: Connection, workers: Sequence[WorkerRow]) -> None:
    """Insert new workers and update known ones."""
    # Ended ones first: a unique index allows one live worker per device.
    ordered = sorted(workers, key=lambda worker: worker.ended is None)
    save_rows(connection, WORKER, ["id"], ordered)


def save_rows(
    connection: Connection, table: Table, keys: Sequence[str], rows: Sequence[Any]
) -> None:
    """Insert whole rows, or update those that are there. `keys` are the primary or unique key."""
    if not rows:
        return
    names = tuple(field.name for field in fields(rows[0]) if field.name not in keys)
    connection.execute(
        insert_or_update(table, tuple(keys), names), [storable(asdict(row)) for row in rows]
    )


@cache
def insert_or_update(table: Table, keys: tuple[str, ...], names: tuple[str, ...]) -> Insert:
    """Return the statement that inserts a row, or updates the columns `names` of a known one.

    It is kept, since SQLAlchemy takes longer to build one than to carry it out.
    """
    statement = upsert(table)
    return statement.on_conflict_do_update(keys, set_={n: statement.excluded[n] for n in names})


def batch_sizes(connection: Connection) -> dict[tuple[str, int], int]:
    """Return the largest batch that fitted, by (device id, model id)."""
    rows = connection.execute(select(BATCH_SIZE.c.device, BATCH_SIZE.c.model_id, BATCH_SIZE.c.size))
    return {(row.device, row.model_id): row.size for row in rows}


def save_batch_size(connection: Connection, device: str, model_id: int, size: int) -> None:
    """Remember the largest batch that fitted on a device with a model."""
    values = {"device": device, "model_id": model_id, "size": size}
    connection.execute(
        upsert(BATCH_SIZE)
        .values(values)
        .on_conflict_do_update(["device", "model_id"], set_={"size": size})
    )


def forget_batch_sizes(connection: Connection, model_id: int) -> None:
    """Delete the batch sizes of a model on all devices."""
    connection.execute(delete(BATCH_SIZE).where(BATCH_SIZE.c.model_id == model_id))


def set_failures(connection: Connection, task_id: int, failures: Sequence[FailureRow]) -> None:
    """Replace what is known of a task's failed records."""
    connection.execute(delete(FAILURE).where(FAILURE.c.task_id == task_id))
    if failures:
        connection.execute(
            insert(FAILURE),
            [
                storable(asdict(row)) | {"examples": json.dumps(row.examples, ensure_ascii=True)}
                for row in failures
            ],
        )


def add_throughput(connection: Connection, rows: Sequence[ThroughputRow]) -> None:
    """Add images and tokens to the minutes that the rows name."""
    if not rows:
        return
    connection.execute(ADD_THROUGHPUT, [asdict(row) for row in rows])


def add_samples(connection: Connection, samples: Sequence[SampleRow]) -> None:
    """Add to the sample ring, and delete the oldest samples beyond its size."""
    if not samples:
        return
    connection.execute(insert(SAMPLE), [storable(asdict(row)) for row in samples])
    connection.execute(delete_all_but(SAMPLE, SAMPLE_RING_SIZE))


def add_events(connection: Connection, events: Sequence[EventRow]) -> None:
    """Add events, and delete the oldest ones beyond `MAX_EVENTS`."""
    if not events:
        return
    connection.execute(insert(EVENT), [storable(asdict(row)) for row in events])
    connection.execute(delete_all_but(EVENT, MAX_EVENTS))


@cache
def delete_all_but(table: Table, newest: int) -> Delete:
    """Return the statement that deletes all rows but so many of the newest."""
    last = select(func.max(table.c.id)).scalar_subquery()
    return delete(table).where(table.c.id <= last - newest)
