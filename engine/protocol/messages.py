"""The messages between supervisor and worker, one class each, and their form on the wire.

On the wire a message is one line of JSON: an object with the fields of its class and with `type`,
the class's tag. `from_supervisor` and `from_worker` check what was received; a message that is
built here is checked by its types. Both ends are always of one version, so that a message carries
none.

`i` is the index of a record in its shard; `model` and `task` are ids; `attempt` is the number of an
attempt at its task; `records` are indexes, except in `Records`. `text` is for the log of events:
nothing is decided by its words.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from db.rows import UnavailableCause
from engine.protocol.caption_row import Row, parse_rows, row_fields

LoadFailure = Literal["checkpoint", "memory", "error"]
"""Why a load failed: a fault of the checkpoint's own, no room, or any other exception."""
WorkerFailure = Literal["sticky", "memory", "error"]
"""Why a worker's process ends itself: a CUDA error after which every call fails, no memory for a
single image, or any other exception."""
BatchCause = Literal["out_of_memory", "throughput"]
"""Why the batch size changes: a batch did not fit, or the search for the fastest goes on."""

Count = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=1, lt=2**31)]
"""A number of images, which the database holds, too."""


# Supervisor to worker


class ModelSpec(Struct, frozen=True, kw_only=True):
    """The model that a worker is to load: fields of `db.rows.ModelRow` by the same names."""

    id: int
    name: str
    family: str
    checkpoint: str | None
    settings: dict[str, Any]


class ImageAccess(Struct, frozen=True, kw_only=True):
    """Where a worker finds the images: fields of `db.rows.ProjectRow` by the same names."""

    root: str
    """The image root, absolute."""
    path_map: tuple[tuple[str, str], ...]
    allow_outside: bool
    witness: str | None


class Start(Struct, frozen=True, kw_only=True, tag="start"):
    """The first message of all: what the worker runs on and where the images are."""

    device: str
    """The kind of the device (see `engine.hardware.devices`)."""
    threads: Count
    """Number of decoding threads."""
    images: ImageAccess


class Load(Struct, frozen=True, kw_only=True, tag="load"):
    """Load this model in place of the current one."""

    model: ModelSpec
    batch: Size | None
    """The largest batch size that is known to fit; None if none is known."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the API key of the model's server: fields of
    `captioners.api_keys.KeySource`, as the next one."""
    key_advice: str = ""
    confined: bool = False
    """True if the model may get only images that really lie in the image root: it is on a server,
    and this user has allowed it no others."""


class ImageFile(Struct, frozen=True, kw_only=True, tag="image"):
    """The image file of a record that comes next: its bytes follow the line."""

    i: Count
    bytes: Count
    """Number of bytes that follow."""


class Records(Struct, frozen=True, kw_only=True, tag="records"):
    """Records to caption."""

    task: int
    attempt: int
    first: Count
    """Record id of the shard's index 0."""
    records: tuple[tuple[int, str], ...]
    """(index, image path) pairs."""
    texts: tuple[tuple[int, dict[str, str]], ...] = ()
    """(index, texts) of those records for which the model's prompt asks for texts, by key, or of
    which a scorer is to score captions, by digest."""
    settings: dict[str, Any] | None = None
    """The settings with which these records are asked, where they are others than the load's."""
    last: bool
    """True if no more come for now."""
    alone: bool
    """True if this is one isolated record."""
    probe: bool
    """True if this is no record but stands for the probe image, which the worker draws itself."""


class Cancel(Struct, frozen=True, tag="cancel"):
    """Forget the records that no batch holds yet."""


class ForgetWitness(Struct, frozen=True, tag="forget_witness"):
    """Probe only the image root when images are missing, and no image that was seen before."""


ToWorker = Start | Load | ImageFile | Records | Cancel | ForgetWitness


# Worker to supervisor


class Ready(Struct, frozen=True, tag="ready"):
    """The process is up."""


class Loading(Struct, frozen=True, kw_only=True, tag="loading"):
    """A step of a load, which is a sign of progress."""

    text: str


class Loaded(Struct, frozen=True, kw_only=True, tag="loaded"):
    """The model is loaded."""

    model: int
    batch: Size
    """The batch size that the worker begins with."""
    seconds: float
    """How long the load took."""


class LoadFailed(Struct, frozen=True, kw_only=True, tag="load_failed"):
    """The model is not loaded. The worker is about to exit, unless the kind is `checkpoint`."""

    model: int
    kind: LoadFailure
    text: str


class Decoding(Struct, frozen=True, kw_only=True, tag="decoding"):
    """The images of these records are about to be decoded."""

    task: int
    attempt: int
    records: tuple[int, ...]


class Generating(Struct, frozen=True, kw_only=True, tag="generating"):
    """These records are about to be captioned."""

    task: int
    attempt: int
    records: tuple[int, ...]


class Rows(Struct, frozen=True, kw_only=True, tag="rows"):
    """Rows of the caption log."""

    task: int
    attempt: int
    rows: tuple[Row, ...]
    waited: float = 0.0
    """Seconds, since the last rows, for which the model had nothing to do but wait for images."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.waited) and self.waited >= 0):
            raise ValueError(f"waited for {self.waited}")


class RequestEnded(Struct, frozen=True, kw_only=True, tag="asking"):
    """A server has replied to a request, well or not, which is a sign of progress."""

    attempt: int


class LayerComputed(Struct, frozen=True, kw_only=True, tag="computing"):
    """A layer of the model was computed, which is a sign of progress."""

    attempt: int


class Unavailable(Struct, frozen=True, kw_only=True, tag="unavailable"):
    """A server captions nothing for now; the worker has forgotten all records and the model."""

    model: int
    cause: UnavailableCause
    text: str
    seconds: float
    """For how long the server asked to be left alone; 0 if it did not."""
    records: tuple[int, ...]
    """The records that the server had when it stopped answering."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"seconds are {self.seconds}")


class BatchChanged(Struct, frozen=True, kw_only=True, tag="batch"):
    """The batch size has changed."""

    model: int
    size: Size
    fits: Size
    """The largest size that is known to fit."""
    cause: BatchCause
    text: str


class RootLost(Struct, frozen=True, kw_only=True, tag="root_lost"):
    """The image root is missing, or no file can be opened; the worker has forgotten all records."""

    task: int
    attempt: int
    text: str


class Stuck(Struct, frozen=True, kw_only=True, tag="stuck"):
    """Half of the decoding threads or more are blocked in a read; the worker is about to exit."""

    text: str


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The worker is about to exit after an exception."""

    kind: WorkerFailure
    text: str


class Heartbeat(Struct, frozen=True, kw_only=True, tag="heartbeat"):
    """A sign of life, every few seconds."""

    rss: Count
    """Bytes of memory that the process uses."""


class WaitingForSlot(Struct, frozen=True, kw_only=True, tag="waiting"):
    """The worker waits for a slot to run in; the launcher says so, for no process is up yet."""

    text: str


class WireRows(Struct, frozen=True, kw_only=True, tag="rows"):
    """`Rows` as it is on the wire, where a row has no tag that says which of two kinds it is."""

    task: int
    attempt: int
    rows: tuple[dict[str, Any], ...]
    waited: float = 0.0


OtherFromWorker = (
    Ready
    | Loading
    | Loaded
    | LoadFailed
    | Decoding
    | Generating
    | RequestEnded
    | LayerComputed
    | Unavailable
    | BatchChanged
    | RootLost
    | Stuck
    | Failed
    | Heartbeat
)
"""Every message of a worker but `Rows`."""
FromWorker = OtherFromWorker | Rows | WaitingForSlot
Message = ToWorker | FromWorker


class ProtocolError(Exception):
    """Raised when something was received that is not a message."""


def from_supervisor(value: Any) -> ToWorker:
    """Return the message that a JSON value stands for. Raises `ProtocolError`."""
    try:
        message: ToWorker = msgspec.convert(value, ToWorker)
    except (ValueError, RecursionError) as error:
        raise not_a_message(value, error) from error
    return message


def from_worker(value: Any) -> OtherFromWorker | Rows:
    """Return the message that a JSON value stands for. Raises `ProtocolError`."""
    try:
        message: OtherFromWorker | WireRows = msgspec.convert(value, OtherFromWorker | WireRows)
        if isinstance(message, WireRows):
            return Rows(
                task=message.task,
                attempt=message.attempt,
                rows=parse_rows(message.rows),
                waited=message.waited,
            )
    except (ValueError, RecursionError) as error:
        raise not_a_message(value, error) from error
    return message


def to_wire(message: Message) -> dict[str, Any]:
    """Return the JSON object that a message is on the wire."""
    if isinstance(message, Rows):
        return {
            "type": "rows",
            "task": message.task,
            "attempt": message.attempt,
            "rows": [row_fields(row) for row in message.rows],
            "waited": message.waited,
        }
    wire: dict[str, Any] = msgspec.to_builtins(message)
    return wire


def not_a_message(value: Any, error: Exception) -> ProtocolError:
    """Return the error that names what is wrong with a received value, and its beginning."""
    try:
        beginning = str(value)[:200]
    except RecursionError:
        beginning = "a value that is nested too deeply"
    return ProtocolError(f"not a message ({str(error)[:200]}): {beginning}")
