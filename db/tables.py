"""The tables of `project.db`.

The columns of a table are the fields of a dataclass of `db.rows`, by the same names and with the
same defaults. Declared here is what a row does not say: keys, constraints, indexes, and the few
columns that no row has.

SQLModel does not validate `table=True` models, so the invariants are CHECK constraints and partial
unique indexes: SQLite itself refuses a breach. Queries use the SQLAlchemy tables at the end of the
module. A change needs a migration (docs/architecture.md, "Recipes").
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

from sqlalchemy import CheckConstraint, Column, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from db import rows


class Table(SQLModel, registry=registry()):
    """The base of our tables. Their registry is not that of all SQLModel tables of a process: a
    training script may have its own, by the same names."""


def table_for(row: type[Any]) -> Callable[[type], type]:
    """Return a decorator that makes of a class a SQLModel table with a column for each field of
    `row`.

    What the class declares itself is added, and counts for fields of the same name.
    """

    def make_table(declared: type) -> type:
        fields = dataclasses.fields(row)
        hints = get_type_hints(row)
        annotations = {field.name: column_type(hints[field.name]) for field in fields}
        defaults = {
            field.name: column_default(field.default)
            for field in fields
            if field.default is not dataclasses.MISSING
        }
        own = {k: v for k, v in vars(declared).items() if k not in ("__dict__", "__weakref__")}
        body = defaults | own | {"__annotations__": annotations | declared.__annotations__}
        return types.new_class(
            declared.__name__,
            (Table,),
            {"table": True},
            lambda namespace: namespace.update(body),
        )

    return make_table


def column_type(annotation: Any) -> Any:
    """Return the type of the column for a field with this annotation.

    It is text for a `Literal`, and for what is stored as JSON: tuples and dictionaries.
    """
    optional = types.NoneType in get_args(annotation)
    value = get_args(annotation)[0] if optional else annotation
    stored = value if value in (int, float, bool, str) else str
    return stored | None if optional else stored


def column_default(value: Any) -> Any:
    """Return the default of the column for a field with this default."""
    return json.dumps(value) if isinstance(value, tuple) else value


def integer(column: str) -> CheckConstraint:
    """Return the constraint that a column holds integers: SQLite's columns take any type."""
    return CheckConstraint(f"typeof({column}) = 'integer'", name=f"{column}_is_integer")


def known(column: str, values: Any, name: str = "") -> CheckConstraint:
    """Return the constraint that a column holds one of the values of a `Literal`, or NULL."""
    listed = ", ".join(f"'{value}'" for value in get_args(values))
    return CheckConstraint(f"{column} IN ({listed})", name=name or f"known_{column}")


@table_for(rows.ProjectRow)
class ProjectTable:
    """The project itself; the table has one row."""

    __tablename__ = "project"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_project"),
        known("pause_cause", rows.PauseCause),
    )

    id: int = Field(default=1, primary_key=True)


@table_for(rows.ModelRow)
class ModelTable:
    """The models of the project."""

    __tablename__ = "model"
    __table_args__ = (
        known("unavailable_cause", rows.UnavailableCause),
        known("blocked_cause", rows.BlockedCause),
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    not_before: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    health: str = Field(default="", sa_column_kwargs={"server_default": ""})


@table_for(rows.ShardRow)
class ShardTable:
    """The shard files, as they were written when the project was made."""

    __tablename__ = "shard"
    __table_args__ = (CheckConstraint("count > 0", name="not_empty"),)

    number: int = Field(primary_key=True)


@table_for(rows.TaskRow)
class TaskTable:
    """One task per shard and model."""

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("shard", "model_id", name="task_of_shard_and_model"),
        known("state", rows.TaskState),
        known("redo", rows.Redo),
        CheckConstraint(
            "captioned >= 0 AND failed >= 0 AND left >= 0 AND captioned + failed <= count"
            " AND left <= count",
            name="counters_in_range",
        ),
        CheckConstraint(
            "state <> 'done' OR (left = 0 AND digest IS NOT NULL)", name="done_is_whole"
        ),
        known("error_cause", rows.TaskErrorCause),
        integer("shard"),
        # Covers the sums that every tick of the UI asks for.
        Index(
            "task_sums",
            *("model_id", "state", "captioned", "failed", "left", "count", "empty", "asked"),
        ),
        Index("task_by_state", "state", "updated"),
    )

    id: int | None = Field(default=None, primary_key=True)
    shard: int = Field(foreign_key="shard.number")
    model_id: int = Field(foreign_key="model.id")
    asked: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


@table_for(rows.AttemptRow)
class AttemptTable:
    """The attempts at tasks."""

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("task_id", "number", name="attempt_of_task"),
        Index(
            "one_open_attempt_per_task", "task_id", unique=True, sqlite_where=text("ended IS NULL")
        ),
        Index(
            "one_open_attempt_per_worker",
            "worker_id",
            unique=True,
            sqlite_where=text("ended IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    task_id: int = Field(foreign_key="task.id")


@table_for(rows.DeviceRow)
class DeviceTable:
    """The devices that any run has used; `present` marks those of the present or last run."""

    __tablename__ = "device"
    __table_args__ = (known("state", rows.DeviceState, name="known_device_state"),)

    id: str = Field(primary_key=True)
    pinned_model_id: int | None = Field(default=None, foreign_key="model.id")
    present: bool = True


class BatchSizeTable(Table, table=True):
    """The largest batch that fitted, by device and model; written after an out of memory."""

    __tablename__ = "batch_size"

    device: str = Field(primary_key=True)
    model_id: int = Field(primary_key=True, foreign_key="model.id")
    size: int = Field(gt=0)


@table_for(rows.WorkerRow)
class WorkerTable:
    """The worker processes, those that have ended among them."""

    __tablename__ = "worker"
    __table_args__ = (
        Index("one_worker_per_device", "device", unique=True, sqlite_where=text("ended IS NULL")),
    )

    id: str = Field(primary_key=True)
    image_wait: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})


@table_for(rows.SupervisorRow)
class SupervisorTable:
    """The supervisor of the present or last run.

    The table has one row, or none before the first run.
    """

    __tablename__ = "supervisor"
    __table_args__ = (CheckConstraint("id = 1", name="one_supervisor"),)

    id: int = Field(default=1, primary_key=True)


@table_for(rows.FailureRow)
class FailureTable:
    """The failed records, by task and kind of error."""

    __tablename__ = "failure"

    task_id: int = Field(primary_key=True, foreign_key="task.id")
    kind: str = Field(primary_key=True)
    examples: str = Field(default="[]", sa_column=Column(Text, nullable=False))


@table_for(rows.ThroughputRow)
class ThroughputTable:
    """Images and tokens by minute, device and model."""

    __tablename__ = "throughput"

    minute: int = Field(primary_key=True)
    device: str = Field(primary_key=True)
    model_id: int = Field(primary_key=True)


@table_for(rows.SampleRow)
class SampleTable:
    """The sample ring: captions that the screens show while a run is under way."""

    __tablename__ = "sample"

    id: int | None = Field(default=None, primary_key=True)
    model_id: int = Field(index=True)


class FlagTable(Table, table=True):
    """The records that a person marked for later, by shard and index."""

    __tablename__ = "flag"

    shard: int = Field(primary_key=True, foreign_key="shard.number")
    i: int = Field(primary_key=True)


@table_for(rows.RatingRow)
class RatingTable:
    """The captions that a person rated, each with a reason."""

    __tablename__ = "rating"

    shard: int = Field(primary_key=True, foreign_key="shard.number")
    i: int = Field(primary_key=True)
    model_id: int = Field(primary_key=True)
    settings_hash: str = Field(primary_key=True)


@table_for(rows.RequestRow)
class RequestTable:
    """The requests of people to the supervisor, with their answers."""

    __tablename__ = "request"
    __table_args__ = (
        known("state", rows.RequestState, name="known_request_state"),
        Index("open_requests", "id", sqlite_where=text("state = 'new'")),
    )

    id: int | None = Field(default=None, primary_key=True)
    handled: float | None = None


@table_for(rows.EventRow)
class EventTable:
    """The messages of the supervisor to people."""

    __tablename__ = "event"

    id: int | None = Field(default=None, primary_key=True)


@table_for(rows.ExportRow)
class ExportTable:
    """The exports that were written."""

    __tablename__ = "export"

    id: int | None = Field(default=None, primary_key=True)


@table_for(rows.NoticeRow)
class NoticeTable:
    """What users are told of runs, wherever they are."""

    __tablename__ = "notice"
    __table_args__ = (known("kind", rows.NoticeKind, name="known_notice_kind"),)

    id: int | None = Field(default=None, primary_key=True)
    key: str | None = Field(default=None, unique=True)


@table_for(rows.DeliveryRow)
class DeliveryTable:
    """The hooks that are called with a notice, by name."""

    __tablename__ = "delivery"
    __table_args__ = (known("state", rows.DeliveryState, name="known_delivery_state"),)

    notice_id: int = Field(primary_key=True, foreign_key="notice.id")
    hook: str = Field(primary_key=True)


TABLES = Table.metadata.tables
PROJECT = TABLES["project"]
MODEL = TABLES["model"]
SHARD = TABLES["shard"]
TASK = TABLES["task"]
ATTEMPT = TABLES["attempt"]
DEVICE = TABLES["device"]
BATCH_SIZE = TABLES["batch_size"]
WORKER = TABLES["worker"]
SUPERVISOR = TABLES["supervisor"]
FAILURE = TABLES["failure"]
THROUGHPUT = TABLES["throughput"]
SAMPLE = TABLES["sample"]
FLAG = TABLES["flag"]
RATING = TABLES["rating"]
REQUEST = TABLES["request"]
EVENT = TABLES["event"]
EXPORT = TABLES["export"]
NOTICE = TABLES["notice"]
DELIVERY = TABLES["delivery"]
