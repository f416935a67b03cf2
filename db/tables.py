"""The tables of `project.db`. SQLModel does not validate `table=True` models, so the
invariants are CHECK constraints and partial unique indexes: SQLite itself refuses a breach."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

STATES = "'pending', 'running', 'done', 'failed', 'skipped'"


def integer(column: str) -> CheckConstraint:
    return CheckConstraint(f"typeof({column}) = 'integer'", name=f"{column}_is_integer")


class Project(SQLModel, table=True):
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


class Model(SQLModel, table=True):
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


class Shard(SQLModel, table=True):
    __table_args__ = (CheckConstraint("count > 0", name="not_empty"),)

    number: int = Field(primary_key=True)
    first: int
    count: int
    bytes: int
    digest: str


class Task(SQLModel, table=True):
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


class Attempt(SQLModel, table=True):
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


class Device(SQLModel, table=True):
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


class BatchSize(SQLModel, table=True):
    """The largest batch that fitted, remembered after an out of memory."""

    __tablename__ = "batch_size"

    device: str = Field(primary_key=True)
    model_id: int = Field(primary_key=True, foreign_key="model.id")
    size: int = Field(gt=0)


class Worker(SQLModel, table=True):
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


class Supervisor(SQLModel, table=True):
    __table_args__ = (CheckConstraint("id = 1", name="one_supervisor"),)

    id: int = Field(default=1, primary_key=True)
    pid: int
    created: float
    boot_id: str
    host: str
    heartbeat: float
    devices: str = "auto"
    stopping: str | None = None


class Failure(SQLModel, table=True):
    task_id: int = Field(primary_key=True, foreign_key="task.id")
    kind: str = Field(primary_key=True)
    count: int
    examples: str = Field(default="[]", sa_column=Column(Text, nullable=False))


class Throughput(SQLModel, table=True):
    minute: int = Field(primary_key=True)
    device: str = Field(primary_key=True)
    model_id: int = Field(primary_key=True)
    images: int
    tokens: int


class Sample(SQLModel, table=True):
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


class Flag(SQLModel, table=True):
    """A record, by its place in the shard."""

    shard: int = Field(primary_key=True, foreign_key="shard.number")
    i: int = Field(primary_key=True)


class Request(SQLModel, table=True):
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


class Event(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    created: float
    level: str
    text: str
    device: str | None = None
    model: str | None = None
    shard: int | None = None


def table_of(model: type[SQLModel]) -> Table:
    """The Core table: its columns have SQL's types, a SQLModel's attributes Python's."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


PROJECT = table_of(Project)
MODEL = table_of(Model)
SHARD = table_of(Shard)
TASK = table_of(Task)
ATTEMPT = table_of(Attempt)
DEVICE = table_of(Device)
BATCH_SIZE = table_of(BatchSize)
WORKER = table_of(Worker)
SUPERVISOR = table_of(Supervisor)
FAILURE = table_of(Failure)
THROUGHPUT = table_of(Throughput)
SAMPLE = table_of(Sample)
FLAG = table_of(Flag)
REQUEST = table_of(Request)
EVENT = table_of(Event)
