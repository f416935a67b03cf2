"""The kinds of requests that people make, one class for each, and their form in the database.

A request is stored as its kind and a JSON object with the fields of its class. Requests that an
older version left behind are read by the same classes, so a kind and the name of a field in the
JSON never change; `field(name=...)` gives a field another name in the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, field

from engine.captioners.registry import ModelChoice
from engine.utils.errors import RequestRefused

MAX_LISTED = 500_000
"""The most tasks or records in one list of a request: the run stands still for a second or two
while that many are changed."""
MAX_NAME = 1_000
"""The most characters of the name of a device or model; an answer repeats the name."""
MAX_PATH = 4_096
"""The most characters of a path, as Linux takes them."""
MAX_REASON = 300
"""The most characters of the reason in a refusal, which may quote the name of an unknown field."""
MAX_FLAG_REASON = 1_000
"""The most characters of the reason for which captions are rated, or flagged."""
MAX_PRIORITY_STEP = 2**31
"""The most by which one request raises or lowers a priority: SQLite's 64 bits hold billions of such
steps."""

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A task id, shard number or index, as SQLite can hold it."""
Name = Annotated[str, Meta(max_length=MAX_NAME)]
TaskIds = Annotated[Sequence[Number], Meta(max_length=MAX_LISTED)]
Bits = Annotated[int, Meta(ge=0, lt=2**15)]
"""Bits of `engine.quality.defects.Defect`."""
Reason = Annotated[str, Meta(max_length=MAX_FLAG_REASON)]
SettingsHash = Annotated[str, Meta(max_length=64)]
Indexes = Annotated[Sequence[Number], Meta(max_length=MAX_LISTED)]
"""Indexes of records in their shard."""


class RequestFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the classes of all requests have in common."""

    kind: ClassVar[str]
    """The kind, as the database has it."""


class Pause(RequestFields, frozen=True):
    """Take all tasks back from the workers, and start none."""

    kind: ClassVar[str] = "pause"


class Resume(RequestFields, frozen=True):
    """Let a paused run go on, and have waiting models ask their servers again at once."""

    kind: ClassVar[str] = "resume"


class Stop(RequestFields, frozen=True):
    """End the run."""

    kind: ClassVar[str] = "stop"
    after_shard: bool = False
    """True to let the running shards end first."""


class Retry(RequestFields, frozen=True):
    """Do tasks again."""

    kind: ClassVar[str] = "retry"
    tasks: TaskIds
    failed_items: bool = False
    """True to do only their failed records again."""


class Skip(RequestFields, frozen=True):
    """Leave tasks out, or take them back in."""

    kind: ClassVar[str] = "skip"
    tasks: TaskIds
    skip: bool = True
    """False to take them back in."""


class Prioritise(RequestFields, frozen=True):
    """Have pending tasks start sooner, or later."""

    kind: ClassVar[str] = "priority"
    tasks: TaskIds
    by: Annotated[int, Meta(ge=-MAX_PRIORITY_STEP, le=MAX_PRIORITY_STEP)]
    """What is added to the priority of each; below 0 they start later."""


class Exclude(RequestFields, frozen=True):
    """Exclude records, or take excluded ones back in."""

    kind: ClassVar[str] = "exclude"
    records: Annotated[Sequence[tuple[Number, Indexes | None]], Meta(max_length=MAX_LISTED)]
    """For each task, by its id, the indexes of records in its shard; None for all that failed."""
    failed_as: str | None = None
    """The kind of failure that records must have where no indexes are given; None for any."""
    exclude: bool = True
    """False to take them back in."""
    series: Name = ""
    """The same text in all requests of one exclusion, which are undone together; empty for one."""


class AskAgain(RequestFields, frozen=True):
    """Ask for captions again that have a defect; those that are there count until one is better."""

    kind: ClassVar[str] = "ask_again"
    records: Annotated[
        Sequence[
            tuple[Number, Annotated[Sequence[tuple[Number, Bits]], Meta(max_length=MAX_LISTED)]]
        ],
        Meta(max_length=MAX_LISTED),
    ]
    """For each task, by its id, indexes of records in its shard, with the bits of `Defect` that
    their captions have."""
    bad: Annotated[Sequence[Name], Meta(min_length=1, max_length=20)]
    """Names of the defects that a new caption must not have, as `DEFECT_NAMES` has them."""
    changes: Annotated[Mapping[Name, str], Meta(min_length=1)]
    """The settings to ask with, as text, by name: `seed`, `prompt` and others."""
    language: Annotated[str, Meta(max_length=MAX_NAME)] = "en"
    """The code of the language that was asked for."""


class PilotFigures(RequestFields, frozen=True):
    """Keep what a pilot showed of the health of a model's captions."""

    kind: ClassVar[str] = "pilot_figures"
    model: Name
    captions: Number
    """How many captions it made."""
    counts: Mapping[Name, Number]
    """How many of them have each defect, by name."""
    images_per_second: Annotated[float, Meta(ge=0)] = 0.0
    """On one device; 0 if it is not known."""
    load_seconds: Annotated[float, Meta(ge=0)] = 0.0
    memory: Number | None = None
    """The most memory of the device that it had, in bytes."""


class Exported(RequestFields, frozen=True):
    """Note that captions were exported."""

    kind: ClassVar[str] = "exported"
    path: Annotated[str, Meta(max_length=MAX_PATH)]
    """The file or folder."""
    format: Name
    captions: Number
    images: Number


class Recheck(RequestFields, frozen=True):
    """Compare the files of tasks with what is recorded of them, and make good what is damaged."""

    kind: ClassVar[str] = "recheck"
    tasks: TaskIds


class Flag(RequestFields, frozen=True):
    """Flag records, or one caption of each of them, or take the flags away."""

    kind: ClassVar[str] = "flag"
    records: Annotated[Sequence[tuple[Number, Number]], Meta(max_length=MAX_LISTED)] = field(
        name="places"
    )
    """The keys of the records: (shard number, index in the shard)."""
    flagged: bool | None
    """True to flag them, False to take the flags away, None to turn each over."""
    model: Name | None = None
    """Whose captions are meant: the name of a model, or `original`; None means the records."""
    reason: Reason = ""
    """Why captions are flagged."""


class Rate(RequestFields, frozen=True):
    """Call the captions that one model made of records good or bad, or take the ratings away."""

    kind: ClassVar[str] = "rate"
    records: Annotated[Sequence[tuple[Number, Number]], Meta(max_length=MAX_LISTED)]
    """The keys of the records: (shard number, index in the shard)."""
    model: Name
    """The name of the model, or `original`."""
    good: bool | None
    """True for good ones, False for bad ones, None to take the ratings away."""
    reason: Reason = ""
    settings_hash: SettingsHash = ""
    """The hash of the settings with which the captions were made; empty for the model's own."""


class Pin(RequestFields, frozen=True):
    """Have a device work on one model only, or on any."""

    kind: ClassVar[str] = "pin"
    device: Name
    model: Name | None = None
    """The model's name; None for any model."""


class Wake(RequestFields, frozen=True):
    """Have a device work again that rests."""

    kind: ClassVar[str] = "wake"
    device: Name


class Configure(RequestFields, frozen=True):
    """Change the settings of a model."""

    kind: ClassVar[str] = "set"
    model: Name
    changes: Mapping[str, str]
    """Settings as text, by name, as `mllmaug-tui set` takes them."""


class AddModel(RequestFields, frozen=True):
    """Have another model caption the project too."""

    kind: ClassVar[str] = "add_model"
    choice: ModelChoice


class Undo(RequestFields, frozen=True):
    """Take back what a retry, skip, exclude, flag or rating has changed, where nothing came
    after."""

    kind: ClassVar[str] = "undo"
    request: Number
    """The id of that request, with whose answer stands what was there before."""


Request = (
    Pause
    | Resume
    | Stop
    | Retry
    | Skip
    | Prioritise
    | Exclude
    | AskAgain
    | PilotFigures
    | Exported
    | Recheck
    | Flag
    | Rate
    | Pin
    | Wake
    | Configure
    | AddModel
    | Undo
)

REQUEST_CLASSES: dict[str, type[Request]] = {
    request_class.kind: request_class
    for request_class in (
        Pause,
        Resume,
        Stop,
        Retry,
        Skip,
        Prioritise,
        Exclude,
        AskAgain,
        PilotFigures,
        Exported,
        Recheck,
        Flag,
        Rate,
        Pin,
        Wake,
        Configure,
        AddModel,
        Undo,
    )
}
"""The class of each kind of request."""


def parse_request(kind: str, payload: object) -> Request:
    """Return the request that a row of the database holds.

    `payload` is a JSON value from outside. Raises `RequestRefused`, which names the bad field.
    """
    request_class = REQUEST_CLASSES.get(kind)
    if request_class is None:
        raise RequestRefused(f"unknown request {kind[:MAX_NAME]!r}")
    try:
        return msgspec.convert(payload, request_class)
    except (ValueError, RecursionError) as error:
        raise makes_no_sense(kind, error) from error


def to_payload(request: Request) -> dict[str, Any]:
    """Return the JSON object that `parse_request` reads the request from."""
    payload: dict[str, Any] = msgspec.to_builtins(request)
    return payload


def checked(request: Request) -> Request:
    """Return the request as `parse_request` would read it: a constructor checks no types.

    Raises `RequestRefused`.
    """
    try:
        payload = to_payload(request)
    except (TypeError, ValueError, RecursionError) as error:
        raise makes_no_sense(request.kind, error) from error
    return parse_request(request.kind, payload)


def makes_no_sense(kind: str, error: Exception) -> RequestRefused:
    """Return the refusal of a request that is not of the form of its kind."""
    return RequestRefused(f"invalid request {kind}: {str(error)[:MAX_REASON]}")
