"""Messages that the application's threads post to it: only its own loop may touch widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot


@dataclass
class ProjectOpened(Message):
    """The project folder was opened."""

    project: Project


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
class ActionFinished(Message):
    """A function of `tui.viewmodel.actions` that `Session.perform` called has ended."""

    text: str
    """What was done, or why it was not; empty if there is nothing to show."""
    succeeded: bool
    quit: bool = False
    """True if the application ends after success."""
