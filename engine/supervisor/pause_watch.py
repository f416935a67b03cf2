"""Letting a run that paused itself go on when the cause of the pause has gone.

A pause that a person asked for stays until a person ends it. Of the others each cause is looked at
again: room on a full disk often, unless it was found in vain, everything else after a wait that
grows.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from db.rows import PauseCause
from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.utils.plain_files import make_folder, open_stream

GOES_ON: dict[PauseCause, str] = {
    "disk_full": "there is room on the disk again",
    "cannot_write": "the project can be written again",
    "root_lost": "the images are looked for again",
    "devices_lost": "a device is there again",
}
"""What is told when a run goes on by itself, by the cause of its pause."""
CHUNK = 2**20
"""Bytes that are read at a time of the file that could not be read or written."""


def free_disk_bytes(folder: Path) -> int:
    """Return how many bytes are free on the disk that holds the folder. Raises `OSError`."""
    return shutil.disk_usage(folder).free


class PauseWatch:
    """Ends the pauses of one run whose causes have gone."""

    def __init__(
        self,
        project: Project,
        project_state: ProjectState,
        device_pool: DevicePool,
        policy: Policy,
        free_bytes: Callable[[Path], int],
    ) -> None:
        """`free_bytes` returns how much is free on the disk of a folder; it may raise `OSError`."""
        self.project = project
        self.project_state = project_state
        self.device_pool = device_pool
        self.policy = policy
        self.free_bytes = free_bytes
        self.clock = project_state.clock
        self.cause: PauseCause | None = None
        """The cause of the pause that is watched; None while the run is not paused."""
        self.tries = 0
        """Looks at the cause in this pause and in those shortly before it."""
        self.relapses = 0
        """Pauses in a row that came soon after the run had gone on by itself."""
        self.next_try = 0.0
        """When the cause is looked at next, on the monotonic clock."""
        self.went_on_at = float("-inf")
        """When the run last went on by itself, on the monotonic clock."""

    def check(self) -> None:
        """Let the run go on if it is time to look at the cause of its pause, and it has gone."""
        now = self.clock.monotonic()
        cause = self.project_state.settings.pause_cause
        if cause is None or cause == "user":
            self.cause = None
            return
        if cause != self.cause:
            # A pause soon after the last one: the cause had not gone, whatever it looked like.
            again = now - self.went_on_at <= self.policy.longest_delay
            self.cause, self.tries = cause, self.tries if again else 0
            self.relapses = self.relapses + 1 if again else 0
            wait = self.wait_before_try(cause)
            self.next_try = now + wait
            if again:
                text = f"paused again soon after it went on: the cause is checked in {wait:.0f} s"
                self.project_state.event("warn", text)
        if now < self.next_try:
            return
        self.tries += 1
        self.next_try = now + self.wait_before_try(cause)
        if self.has_gone(cause):
            self.cause, self.went_on_at = None, now
            self.project_state.event("info", f"{GOES_ON[cause]}: the run goes on")
            self.project_state.resume()

    def wait_before_try(self, cause: PauseCause) -> float:
        """Return the seconds until the cause is looked at next."""
        if cause in ("disk_full", "devices_lost"):  # the look costs nothing
            # But what it shows may not be all: a quota is no matter of the disk's free bytes.
            return self.policy.delay(self.relapses) if self.relapses else self.policy.disk_retry
        return self.policy.delay(self.tries + 1)

    def has_gone(self, cause: PauseCause) -> bool:
        """Return True if nothing is known any more that keeps the run from going on."""
        if cause == "disk_full":
            return self.has_room()
        if cause == "cannot_write":
            path = self.project_state.unwritable
            return not self.project_state.unsaved and can_use(self.project, path)
        if cause == "devices_lost":
            return bool(self.device_pool.ready_devices())
        return True  # the workers look for the images, and fail no record while they are not there

    def has_room(self) -> bool:
        """Return True if `Policy.disk_floor` bytes are free, and some can be written."""
        with suppress(OSError):
            if self.free_bytes(self.project.folder) >= self.policy.disk_floor:
                try_write(self.project.folder)
                return True
        return False


def can_use(project: Project, path: Path | None) -> bool:
    """Return True if the project's folders, and the file that gave an error, can be used again.

    `path` is that file, None if it is not known.
    """
    try:
        folders = {project.folder, project.captions}
        if path is not None and path.parent != project.shards:  # those may be read-only
            folders.add(path.parent)
        for folder in folders:
            make_folder(folder)
            try_write(folder)
        if path is not None and os.path.lexists(path):
            try_file(path, "rb" if path.parent == project.shards else "r+b")
    except OSError:
        return False
    return True


def try_write(folder: Path) -> None:
    """Write a file without a name into the folder. Raises `OSError`."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())


def try_file(path: Path, mode: Literal["rb", "r+b"]) -> None:
    """Open a file and read all of it; sync it if it is opened for writing. Raises `OSError`."""
    with open_stream(path, mode) as file:
        while file.read(CHUNK):
            pass
        if mode == "r+b":
            os.fsync(file.fileno())
