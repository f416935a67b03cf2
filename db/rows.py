"""The plain values that queries take and return, one class per kind of row.

Their fields are named as the columns of `db.tables`. Times are seconds since the epoch (UTC).
Light to import: it knows no SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

TaskState = Literal["pending", "running", "done", "failed", "skipped"]
TASK_STATES: tuple[TaskState, ...] = ("pending", "running", "done", "failed", "skipped")
Redo = Literal["all", "failed"]
"""Which records of a task are captioned again: all, or those without a caption."""
WorkerStatus = Literal["starting", "loading", "captioning", "idle", "stopping"]
DeviceState = Literal["ready", "resting", "lost"]
RequestState = Literal["new", "done", "refused"]
ShearMode = Literal["paper", "sentence"]
SHEAR_MODES: tuple[ShearMode, ...] = ("paper", "sentence")
EventLevel = Literal["info", "warn", "fail"]
PauseCause = Literal["user", "disk_full", "cannot_write", "root_lost", "devices_lost"]
"""Why a project is paused.

- `user`: a person paused it.
- `disk_full`: a write failed for want of space.
- `cannot_write`: a write or read of the project's own files failed for another reason.
- `root_lost`: the image root is gone, and with it the images.
- `devices_lost`: no device is left.
"""
AttemptOutcome = Literal["done", "withdrawn", "died", "stopped", "lost"]
"""How an attempt ended.

- `done`: every record had its row.
- `withdrawn`: the supervisor took the task from a worker that lives on.
- `died`: the worker ended.
- `stopped`: the supervisor ended a worker that did not hang: its device or the run ended.
- `lost`: the worker's machine is lost, or an earlier supervisor left the attempt open.
"""
TaskErrorCause = Literal[
    "killed",
    "crashed",
    "exited",
    "failed",
    "out_of_memory",
    "hung",
    "stuck_read",
    "protocol_error",
    "machine_lost",
    "stopped",
    "server_unavailable",
    "model_blocked",
    "shard_missing",
    "shard_changed",
    "shard_unreadable",
    "log_incomplete",
    "cannot_write",
    "withdrawn",
]
"""Why the last attempt at a task ended, or why the task failed.

- `killed`: SIGKILL or SIGTERM from outside ended the worker.
- `crashed`: another signal ended the worker.
- `exited`: the worker ended by itself, with an exit code and no message.
- `failed`: the worker reported an exception before it ended.
- `out_of_memory`: a batch of one image did not fit into memory.
- `hung`: the worker sent nothing, or captioned nothing, for too long and was ended.
- `stuck_read`: half of the worker's decoding threads hung in a read.
- `protocol_error`: the worker wrote something that is no message.
- `machine_lost`: the worker's machine or device was lost.
- `stopped`: the run was stopped.
- `server_unavailable`: the model's server sent an error instead of a caption.
- `model_blocked`: no worker may load the model.
- `shard_missing`: the shard file does not exist.
- `shard_changed`: the shard file is not the one that was written.
- `shard_unreadable`: the shard file cannot be read.
- `log_incomplete`: the caption log lacked records when it was read back.
- `cannot_write`: a caption log could not be opened or written.
- `withdrawn`: a pause, a request or a lost image root took the task from its worker.
"""
UnavailableCause = Literal[
    "unreachable", "overloaded", "failing", "model_not_served", "unauthorized"
]
"""Why a model's server sent no caption.

- `unreachable`: no connection, or no answer in time.
- `overloaded`: the server asked to wait.
- `failing`: the server answered with an error of its own.
- `model_not_served`: the server does not serve the model.
- `unauthorized`: the server refused the key.
"""
BlockedCause = Literal["memory", "checkpoint", "error", "died"]
"""Why no worker may load a model.

- `memory`: it needs more memory than any device has free.
- `checkpoint`: its checkpoint is missing, damaged or of the wrong kind.
- `error`: loading raised another exception.
- `died`: workers ended while they loaded it.
"""
NoticeKind = Literal[
    "finished", "stopped", "killed", "paused", "model_blocked", "health_alarm", "disk_low"
]
"""What a notice is about.

- `finished`: a run ended, and no task is left.
- `stopped`: a run ended that was told to, or that has only models left that their captions' health
  has stopped.
- `killed`: a run ended without having been told to: killed, by an error, or with its machine.
- `paused`: a person, a full disk, lost images or lost devices paused the run.
- `model_blocked`: no worker loads the model any more.
- `health_alarm`: too many captions of a model have a defect.
- `disk_low`: the disk of the project has little room left.
"""
NOTICE_KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)
DeliveryState = Literal["waiting", "claimed", "done", "failed"]
"""Where the delivery of a notice stands.

- `waiting`: the hook was not called.
- `claimed`: a notifier is about to call it, or calls it.
- `done`: it was called, and succeeded.
- `failed`: it was called and failed, or it is not known whether it was called.
"""
RecordKey = tuple[int, int]
"""The key of a record: (shard number, index in the shard)."""
CaptionKey = tuple[int, int, int]
"""The key of a caption: (shard number, index in the shard, model id or `ORIGINAL_ID`)."""
RatingKey = tuple[int, int, int, str]
"""The key of a rating: that of its caption, and the hash of the settings that made the caption."""
ORIGINAL_ID = 0
"""Stands for a model id where a caption is the original; models have ids from 1 on."""


class Rating(NamedTuple):
    """What a person says of a caption: a bad one is flagged."""

    good: bool
    reason: str
    """Why, in the person's words; may be empty."""

    @property
    def word(self) -> str:
        return "good" if self.good else "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """The project itself: its data set, its image paths and the settings of a run."""

    uid: str
    """A random id, which the project keeps for life."""
    created: float
    records: int
    """Number of records of all shards together."""
    image_root: str
    """Absolute, or relative to the project folder when it lies inside it."""
    path_map: tuple[tuple[str, str], ...] = ()
    """Beginnings of image paths and what to put instead of each, as (old, new)."""
    allow_outside: bool = False
    """True if image paths may climb out of the image root."""
    witness: str | None = None
    """An image that `new` found, as the input wrote it: probed when images go missing."""
    shear_mode: ShearMode = "paper"
    shear_max_words: int | None = None
    """Cap on the words of a sheared caption; None means no cap."""
    paused: bool = False
    pause_reason: str | None = None
    """Why the project is paused, as a text for people."""
    pause_cause: PauseCause | None = None
    """Why the project is paused; None while it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model of the project: a family, a checkpoint and settings, under a name of its own."""

    id: int
    position: int
    """The model's rank in the project's order, in which screens and exports list models."""
    name: str
    family: str
    checkpoint: str | None
    """A folder or an address; None for a family that needs none."""
    settings: dict[str, Any] = field(hash=False)
    """What `engine.captioners` needs beyond the checkpoint (prompt, caps, ...)."""
    settings_hash: str
    """A hash of everything that shapes the raw captions; part of the caption folder's name."""
    blocked: str | None = None
    """Why no worker may load the model (three load failures), or None."""
    load_failures: int = 0
    """Load failures in a row."""
    unavailable: str | None = None
    """The error that the model's server last sent instead of a caption; None while it answers."""
    not_before: float = 0.0
    """When a server that does not answer is asked again; 0 means at once."""
    unavailable_cause: UnavailableCause | None = None
    """The kind of `unavailable`."""
    blocked_cause: BlockedCause | None = None
    """The kind of `blocked`."""
    health: str = ""
    """What the run knows of the health of its captions: JSON, as `engine.quality.alarms` writes it;
    empty before the first."""
    health_stop: str | None = None
    """Why no task of the model starts until a person says so: what is wrong with its captions."""

    @property
    def folder(self) -> str:
        """The name of the model's folder of caption logs."""
        return f"{self.name}-{self.settings_hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRow:
    """One shard file, as it was written when the project was made."""

    number: int
    first: int
    """The record id (position in the whole data set) of the shard's first record."""
    count: int
    """Number of records."""
    bytes: int
    """Size of the file."""
    digest: str
    """Digest of the file's bytes, by which a later change is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One shard to be captioned by one model.

    `captioned`, `failed` and `left` count records. A record is asked for again when it has no
    row at or after `redo_from`; with `redo == "failed"` only if it has no caption either.
    """

    id: int
    shard: int
    model_id: int
    count: int
    """Records of the shard."""
    state: TaskState = "pending"
    priority: int = 0
    """Tasks of a higher priority start first."""
    attempt: int = 0
    """Number of the last attempt; 0 before the first."""
    strikes: int = 0
    """Attempts in a row that were ended by the task's fault without adding a row."""
    not_before: float = 0.0
    """When the task may start again after a strike; 0 means at once."""
    captioned: int = 0
    """Records that have a caption."""
    failed: int = 0
    """Records that have an error and no caption."""
    empty: int = 0
    """Captions of which shearing leaves nothing; known once the task is done."""
    left: int = 0
    """Records that are still to be captioned, or to be captioned again."""
    asked: int = 0
    """How many records a person asked for again, of which some are `left`; 0 once none is."""
    redo: Redo = "all"
    redo_from: int = 0
    """An offset in the caption log, in bytes: rows before it belong to an earlier round."""
    rows: int = 0
    """Rows in the caption log, repeated ones included."""
    log_bytes: int = 0
    """Size of the caption log."""
    log_mtime_ns: int = 0
    """Modification time of the caption log when it was read back, in nanoseconds."""
    digest: str | None = None
    """Digest of the first `log_bytes` bytes of the caption log, when the task was done; None from
    the next row on."""
    device: str | None = None
    """Id of the device of the last attempt."""
    started: float | None = None
    """When the last attempt began."""
    finished: float | None = None
    """When the task became done or failed."""
    seconds: float = 0.0
    """How long all attempts together have lasted."""
    error: str | None = None
    """Why the last attempt ended or the task failed, as a text for people."""
    error_cause: TaskErrorCause | None = None
    """The kind of `error`."""
    updated: float = 0.0
    """When the row last changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One try at a task by one worker."""

    task_id: int
    number: int
    """The attempt's number within its task, from 1."""
    worker_id: str
    device: str
    started: float
    ended: float | None = None
    """None while the attempt is open."""
    outcome: AttemptOutcome | None = None
    """None while the attempt is open."""
    rows: int = 0
    """Rows that the attempt added to the caption log."""
    detail: str | None = None
    """Why the attempt ended as it did, as a text for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """One device that a run may use. `None` stands for what the machine cannot measure."""

    id: str
    label: str = ""
    """The name of the hardware."""
    uuid: str | None = None
    """The GPU's own id, which does not depend on the order of the GPUs."""
    memory_total: int | None = None
    """In bytes."""
    memory_used: int | None = None
    """In bytes."""
    utilisation: float | None = None
    """In percent."""
    temperature: float | None = None
    """In degrees Celsius."""
    power: float | None = None
    """In watts."""
    power_limit: float | None = None
    """In watts."""
    pinned_model_id: int | None = None
    """The only model that the device may caption with, or None."""
    state: DeviceState = "ready"
    rest_until: float = 0.0
    """When a resting device is used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One worker process, from its start to its exit; a worker that restarts gets a new row."""

    id: str
    device: str
    pid: int
    created: float
    """The start of the process, as `engine.process.identity.process_start` returns it."""
    boot_id: str
    """The boot in which the process was started, or `engine.process.identity.ELSEWHERE`."""
    model_id: int | None = None
    task_id: int | None = None
    state: WorkerStatus = "starting"
    heartbeat: float = 0.0
    """When the worker's last message came."""
    rate: float = 0.0
    """Images per second, lately."""
    batch: int = 0
    """Images per batch."""
    image_wait: float = 0.0
    """The share of the time, lately, for which the model waited for images, 0 to 1."""
    ended: float | None = None
    """When the process ended; None while it lives, as far as is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorRow:
    """The supervisor of the run that is under way."""

    pid: int
    created: float
    """The start of the process, as `engine.process.identity.process_start` returns it."""
    boot_id: str
    host: str
    """Name of the machine."""
    heartbeat: float
    """When the supervisor last committed."""
    devices: str = "auto"
    """The devices that the run was told to use, as on the command line."""
    stopping: str | None = None
    """How the run was asked to stop, `now` or `after_shard`; None if it was not."""


@dataclass(frozen=True, slots=True)
class FailureRow:
    """The failed records of one task that failed with one kind of error."""

    task_id: int
    kind: str
    count: int
    examples: tuple[tuple[int, str], ...] = ()
    """Up to 20 pairs of a record's index in the shard and the error's detail."""


@dataclass(frozen=True, slots=True)
class FailedImages:
    """How many images have no caption of some model, since that failed."""

    count: int = 0
    exact: bool = True
    """False if there may be more: the database names up to 20 of a task and kind of error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputRow:
    """Images and tokens that one device made with one model in one minute."""

    minute: int
    """Minutes since the epoch."""
    device: str
    model_id: int
    images: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One caption of the sample ring, which the screens show while a run is under way."""

    created: float
    model_id: int
    shard: int
    i: int
    """The record's index in the shard."""
    image: str
    """The image path, as the input wrote it."""
    original: str
    raw: str
    sheared: str
    start: int | None
    """Where `sheared` starts in `raw`, in characters; None if the clean-up left no span of it."""
    end: int | None
    """Where `sheared` ends in `raw`, in characters; None as `start`."""
    tokens: int
    finish: str
    """How generation ended: `stop` or `length`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingRow:
    """What a person says of a caption, and why."""

    shard: int
    i: int
    """The record's index in the shard."""
    model_id: int
    """Whose caption it is; `ORIGINAL_ID` for the original."""
    settings_hash: str
    """The hash of the settings with which the model made it; empty for the original."""
    good: bool
    """False if the caption is bad."""
    reason: str = ""
    """Why, in the person's words; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One request of a person to the supervisor, and its answer."""

    id: int
    created: float
    kind: str
    payload: Any = field(hash=False)
    """The JSON value with what `kind` needs; None if the database holds no JSON there."""
    state: RequestState = "new"
    note: str | None = None
    """The answer, as a text for people."""
    result: dict[str, Any] | None = field(default=None, hash=False)
    """The answer as values, for programs: a JSON object, whose form depends on `kind`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One message of the supervisor to people; the fields below `text` say what it is about."""

    created: float
    level: EventLevel
    text: str
    device: str | None = None
    model: str | None = None
    """The model's name."""
    shard: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """An export that was written."""

    created: float
    path: str
    """The file or folder."""
    format: str
    """A name in `engine.datasets.exports.formats`."""
    captions: int
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """Something about a run that people want to be told wherever they are."""

    created: float
    kind: NoticeKind
    text: str
    """What happened, for people; never a caption."""
    model: str | None = None
    """The model's name."""
    cause: str | None = None
    """Of a pause its `PauseCause`, of a blocked model its `BlockedCause`, of an alarm the state of
    the model (`warned`, `stopped`)."""
    key: str | None = None
    """Two notices with one key are the same: only the first is kept. None if nothing else tells
    the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A notice that a hook of the user is called with."""

    notice_id: int
    hook: str
    """The hook's name in the user's configuration."""
    state: DeliveryState = "waiting"
    claimed: float | None = None
    """When a notifier claimed it; None while it waits."""
    detail: str | None = None
    """Why it failed, as a text for people."""
