"""Telling in time that the disk of a project has little room left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from db import notices
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState

DISK_KEY = "disk_low"
"""The key of the notice, so that a run that is started again does not tell the same again."""


class DiskWatch:
    """Looks at the free room of one project's disk now and then."""

    def __init__(
        self,
        project: Project,
        project_state: ProjectState,
        policy: Policy,
        free_bytes: Callable[[Path], int],
    ) -> None:
        """`free_bytes` returns how much is free on the disk of a folder; it may raise `OSError`."""
        self.project = project
        self.project_state = project_state
        self.policy = policy
        self.free_bytes = free_bytes
        self.is_low: bool | None = None
        """True once it was told; None before the first look."""
        self.next_look = float("-inf")
        """When the disk is looked at next, on the monotonic clock."""

    def check(self) -> None:
        """Tell if there is little room, once until there was twice as much again."""
        now = self.project_state.clock.monotonic()
        if now < self.next_look:
            return
        self.next_look = now + self.policy.disk_every
        try:
            free = self.free_bytes(self.project.folder)
        except OSError:  # the run finds out by itself what it cannot read or write
            return
        if free < self.policy.disk_low and not self.is_low:
            self.is_low = True
            text = f"the disk has {free / 1e9:.1f} GB left: a run pauses when it is full"
            self.project_state.event("warn", text)
            self.project_state.tell("disk_low", text, key=DISK_KEY)
        elif free >= 2 * self.policy.disk_low and self.is_low is not False:
            self.is_low = False
            self.project_state.writes.append(lambda c: notices.free_key(c, DISK_KEY))
