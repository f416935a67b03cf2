"""The plain values that leave this package. Times are seconds since the epoch (UTC)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

TaskState = Literal["pending", "running", "done", "failed", "skipped"]
TASK_STATES: tuple[TaskState, ...] = ("pending", "running", "done", "failed", "skipped")
STATE_WORDS: dict[str, str] = {
    "pending": "WAIT",
    "running": "RUN",
    "done": "DONE",
    "failed": "FAIL",
    "skipped": "SKIP",
}
"""What stands for them on screen, and may stand for them in a filter."""
WorkerStatus = Literal["starting", "loading", "captioning", "idle", "stopping"]
DeviceState = Literal["ready", "resting", "lost"]
ShearMode = Literal["paper", "sentence"]
SHEAR_MODES: tuple[ShearMode, ...] = ("paper", "sentence")
Level = Literal["info", "warn", "fail"]
RecordKey = tuple[int, int]
"""A record: its shard's number and its place there."""


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """`image_root` is absolute, or relative to the project folder when it lies inside it."""

    uid: str
    created: float
    records: int
    image_root: str
    path_map: tuple[tuple[str, str], ...] = ()
    allow_outside: bool = False
    witness: str | None = None
    """An image that `new` found, as the input wrote it: probed when images go missing."""
    shear_mode: ShearMode = "paper"
    shear_max_words: int | None = None
    paused: bool = False
    pause_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """`settings` are what `engine.captioners` needs beyond the checkpoint (prompt, caps, ...)."""

    id: int
    position: int
    name: str
    family: str
    checkpoint: str | None
    settings: dict[str, Any] = field(hash=False)
    settings_hash: str
    """Names the caption folder: a hash of everything that shapes the raw text."""
    blocked: str | None = None
    """Why no worker may load it (three load failures), or None."""
    load_failures: int = 0
    unavailable: str | None = None
    """What its server last said instead of a caption; None while it answers."""
    not_before: float = 0.0
    """When such a server is asked again; 0 is at once."""

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.settings_hash}"


@dataclass(frozen=True, slots=True)
class ShardRow:
    number: int
    first: int
    """Place of its first record in the whole input."""
    count: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One shard to be captioned by one model.

    `captioned`, `failed` and `left` count records. A record is asked for again when it has no
    row at or after `redo_from` (a byte offset in the caption log); with `redo == "failed"` only
    if it has no caption either.
    """

    id: int
    shard: int
    model_id: int
    count: int
    state: TaskState = "pending"
    priority: int = 0
    attempt: int = 0
    strikes: int = 0
    not_before: float = 0.0
    captioned: int = 0
    failed: int = 0
    empty: int = 0
    left: int = 0
    redo: Literal["all", "failed"] = "all"
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


@dataclass(frozen=True, slots=True)
class AttemptRow:
    task_id: int
    number: int
    worker_id: str
    device: str
    started: float
    ended: float | None = None
    outcome: str | None = None
    rows: int = 0
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """`utilisation` in percent and memory in bytes are None where nothing can tell."""

    id: str
    label: str = ""
    uuid: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    utilisation: float | None = None
    pinned_model_id: int | None = None
    state: DeviceState = "ready"
    rest_until: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One incarnation of a worker process; `created` is `engine.process.identity.started`."""

    id: str
    device: str
    pid: int
    created: float
    boot_id: str
    model_id: int | None = None
    task_id: int | None = None
    state: WorkerStatus = "starting"
    heartbeat: float = 0.0
    rate: float = 0.0
    batch: int = 0
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class SupervisorRow:
    pid: int
    created: float
    boot_id: str
    host: str
    heartbeat: float
    devices: str = "auto"
    stopping: str | None = None


@dataclass(frozen=True, slots=True)
class FailureRow:
    """`examples` are up to 20 pairs of a record's place in the shard and the error's detail."""

    task_id: int
    kind: str
    count: int
    examples: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ThroughputRow:
    minute: int
    """Minutes since the epoch."""
    device: str
    model_id: int
    images: int
    tokens: int


@dataclass(frozen=True, slots=True)
class SampleRow:
    created: float
    model_id: int
    shard: int
    i: int
    image: str
    original: str
    raw: str
    sheared: str
    start: int | None
    """Kept span of `raw`; None where the clean-up left none."""
    end: int | None
    tokens: int
    finish: str


@dataclass(frozen=True, slots=True)
class RequestRow:
    id: int
    created: float
    kind: str
    payload: dict[str, Any] = field(hash=False)
    state: Literal["new", "done", "refused"] = "new"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class EventRow:
    created: float
    level: Level
    text: str
    device: str | None = None
    model: str | None = None
    shard: int | None = None
