"""The tables of `project.db`, whose rows are the dataclasses of `db.rows` by similar names.

SQLModel does not validate `table=True` models, so the invariants are CHECK constraints and partial
unique indexes: SQLite itself refuses a breach. Queries use the SQLAlchemy tables at the end of the
module. A change needs a migration (docs/architecture.md, "Recipes").
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

STATES = "'pending', 'running', 'done', 'failed', 'skipped'"
"""The task states, as SQL."""


def integer(column: str) -> CheckConstraint:
    """Return the constraint that a column holds integers: SQLite's columns take any type."""
    return CheckConstraint(f"typeof({column}) = 'integer'", name=f"{column}_is_integer")


class ProjectTable(SQLModel, table=True):
    """The project itself; the table has one row."""

    __tablename__ = "project"
    __table_args__ = (CheckConstraint("id = 1", name="one_project"),)

    id: int = Field(default=1, primary_key=True)
    uid: str
    created: float
    records: int
    image_root: str
    path_map: str = "[]"
    allow_outside: bool = False
    witness: str | None = None
    shear_mode: str = "paper"
    shear_max_words: int | None = None
    paused: bool = False
    pause_reason: str | None = None


class ModelTable(SQLModel, table=True):
    """The models of the project."""

    __tablename__ = "model"

    id: int | None = Field(default=None, primary_key=True)
    position: int
    name: str = Field(unique=True)
    family: str
    checkpoint: str | None = None
    settings: str = "{}"
    settings_hash: str
    blocked: str | None = None
    load_failures: int = 0
    unavailable: str | None = None
    not_before: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})


class ShardTable(SQLModel, table=True):
    """The shard files, as they were written when the project was made."""

    __tablename__ = "shard"
    __table_args__ = (CheckConstraint("count > 0", name="not_empty"),)

    number: int = Field(primary_key=True)
    first: int
    count: int
    bytes: int
    digest: str


class TaskTable(SQLModel, table=True):
    """One task per shard and model."""

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("shard", "model_id", name="task_of_shard_and_model"),
        CheckConstraint(f"state IN ({STATES})", name="known_state"),
        CheckConstraint("redo IN ('all', 'failed')", name="known_redo"),
        CheckConstraint(
            "captioned >= 0 AND failed >= 0 AND left >= 0 AND captioned + failed <= count"
            " AND left <= count",
            name="counters_in_range",
        ),
        CheckConstraint(
            "state <> 'done' OR (left = 0 AND digest IS NOT NULL)", name="done_is_whole"
        ),
        integer("shard"),
        # Covers the sums that every tick of the UI asks for.
        Index("task_sums", "model_id", "state", "captioned", "failed", "left", "count", "empty"),
        Index("task_by_state", "state", "updated"),
    )

    id: int | None = Field(default=None, primary_key=True)
    shard: int = Field(foreign_key="shard.number")
    model_id: int = Field(foreign_key="model.id")
    count: int
    state: str = "pending"
    priority: int = 0
    attempt: int = 0
    strikes: int = 0
    not_before: float = 0.0
    captioned: int = 0
    failed: int = 0
    empty: int = 0
    left: int = 0
    redo: str = "all"
    redo_from: int = 0
    rows: int = 0
    log_bytes: int = 0
    log_mtime_ns: int = 0
    digest: str | None = None
    device: str | None = None
    started: float | None = None
    finished: float | None = None
    seconds: float = 0.0
    error: str | None = None
    updated: float = 0.0


class AttemptTable(SQLModel, table=True):
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
    number: int
    worker_id: str
    device: str
    started: float
    ended: float | None = None
    outcome: str | None = None
    rows: int = 0
    detail: str | None = None


class DeviceTable(SQLModel, table=True):
    """The devices that any run has used; `present` marks those of the present or last run."""

    __tablename__ = "device"
    __table_args__ = (
        CheckConstraint("state IN ('ready', 'resting', 'lost')", name="known_device_state"),
    )

    id: str = Field(primary_key=True)
    label: str = ""
    uuid: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    utilisation: float | None = None
    pinned_model_id: int | None = Field(default=None, foreign_key="model.id")
    state: str = "ready"
    rest_until: float = 0.0
    present: bool = True


class BatchSizeTable(SQLModel, table=True):
    """The largest batch that fitted, by device and model; written after an out of memory."""

    __tablename__ = "batch_size"

    device: str = Field(primary_key=True)
    model_id: int = Field(primary_key=True, foreign_key="model.id")
    size: int = Field(gt=0)


class WorkerTable(SQLModel, table=True):
    """The worker processes, those that have ended among them."""

    __tablename__ = "worker"
    __table_args__ = (
        Index("one_worker_per_device", "device", unique=True, sqlite_where=text("ended IS NULL")),
    )

    id: str = Field(primary_key=True)
    device: str
    pid: int
    created: float
    boot_id: str
    model_id: int | None = None
    task_id: int | None = None
    state: str = "starting"
    heartbeat: float = 0.0
    rate: float = 0.0
    batch: int = 0
    ended: float | None = None


class SupervisorTable(SQLModel, table=True):
    """The supervisor of the present or last run.

    The table has one row, or none before the first run.
    """

    __tablename__ = "supervisor"
    __table_args__ = (CheckConstraint("id = 1", name="one_supervisor"),)

    id: int = Field(default=1, primary_key=True)
    pid: int
    created: float
    boot_id: str
    host: str
    heartbeat: float
    devices: str = "auto"
    stopping: str | None = None


class FailureTable(SQLModel, table=True):
    """The failed records, by task and kind of error."""

    __tablename__ = "failure"

    task_id: int = Field(primary_key=True, foreign_key="task.id")
    kind: str = Field(primary_key=True)
    count: int
    examples: str = Field(default="[]", sa_column=Column(Text, nullable=False))


class ThroughputTable(SQLModel, table=True):
    """Images and tokens by minute, device and model."""

    __tablename__ = "throughput"

    minute: int = Field(primary_key=True)
    device: str = Field(primary_key=True)
    model_id: int = Field(primary_key=True)
    images: int
    tokens: int


class SampleTable(SQLModel, table=True):
    """The sample ring: captions that the screens show while a run is under way."""

    __tablename__ = "sample"

    id: int | None = Field(default=None, primary_key=True)
    created: float
    model_id: int = Field(index=True)
    shard: int
    i: int
    image: str
    original: str
    raw: str
    sheared: str
    start: int | None = None
    end: int | None = None
    tokens: int
    finish: str


class FlagTable(SQLModel, table=True):
    """The records that a person marked for later, by shard and index."""

    __tablename__ = "flag"

    shard: int = Field(primary_key=True, foreign_key="shard.number")
    i: int = Field(primary_key=True)


class RequestTable(SQLModel, table=True):
    """The requests of people to the supervisor, with their answers."""

    __tablename__ = "request"
    __table_args__ = (
        CheckConstraint("state IN ('new', 'done', 'refused')", name="known_request_state"),
        Index("open_requests", "id", sqlite_where=text("state = 'new'")),
    )

    id: int | None = Field(default=None, primary_key=True)
    created: float
    kind: str
    payload: str = "{}"
    state: str = "new"
    note: str | None = None
    handled: float | None = None


class EventTable(SQLModel, table=True):
    """The messages of the supervisor to people."""

    __tablename__ = "event"

    id: int | None = Field(default=None, primary_key=True)
    created: float
    level: str
    text: str
    device: str | None = None
    model: str | None = None
    shard: int | None = None


def table_of(model: type[SQLModel]) -> Table:
    """Return the SQLAlchemy table of a SQLModel class.

    Its columns have SQL's types; the attributes of a SQLModel class have Python's.
    """
    return SQLModel.metadata.tables[str(model.__tablename__)]


PROJECT = table_of(ProjectTable)
MODEL = table_of(ModelTable)
SHARD = table_of(ShardTable)
TASK = table_of(TaskTable)
ATTEMPT = table_of(AttemptTable)
DEVICE = table_of(DeviceTable)
BATCH_SIZE = table_of(BatchSizeTable)
WORKER = table_of(WorkerTable)
SUPERVISOR = table_of(SupervisorTable)
FAILURE = table_of(FailureTable)
THROUGHPUT = table_of(ThroughputTable)
SAMPLE = table_of(SampleTable)
FLAG = table_of(FlagTable)
REQUEST = table_of(RequestTable)
EVENT = table_of(EventTable)
