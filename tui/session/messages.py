"""Messages to the application: from its threads, and from screens that ask it for something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from db.rows import RecordKey
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot


@dataclass
class ProjectRefused(Message):
    """The folder cannot be opened as a project; the application ends and prints `reason`."""

    reason: str


@dataclass
class SnapshotRead(Message):
    """A new snapshot was read. It replaces an older one that still waits in the queue."""

    snapshot: Snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotRead)


@dataclass
class SnapshotFailed(Message):
    """No snapshot could be read; the next tick tries again."""

    reason: str


@dataclass
class RecordChosen(Message):
    """A person wants to see a record on the Samples screen; `i` is its index in the shard."""

    shard: int
    i: int


@dataclass
class RecordsChosen(Message):
    """A person wants to go through records on the Samples screen, and then come back."""

    keys: tuple[RecordKey, ...]
    """The records, in the order in which they are shown; there is one at least."""
    title: str
    """What they are, such as "loops of otter"."""
    model: str
    """The name of the model whose captions they are about."""


@dataclass
class ActionRequested(Message):
    """A person asked for something that the engine carries out."""

    action: Callable[[Project], str]
    """A function of `tui.viewmodel.actions`, which returns the text to show."""
    quit: bool = False
    """True if the application ends after success."""


@dataclass
class ActionFinished(Message):
    """What an `ActionRequested` asked for was carried out, or failed."""

    text: str
    """What was done, or why it was not; empty if there is nothing to show."""
    succeeded: bool
    quit: bool = False
    """True if the application ends after success."""
