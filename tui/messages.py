"""What happened in a thread, told to whoever owns the widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot


@dataclass
class ProjectOpened(Message):
    project: Project


@dataclass
class ProjectRefused(Message):
    reason: str


@dataclass
class SnapshotRead(Message):
    snapshot: Snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotRead)


@dataclass
class SnapshotFailed(Message):
    reason: str


@dataclass
class Answered(Message):
    """The engine did, or did not do, what was asked."""

    sentence: str
    done: bool
    quit: bool = False
