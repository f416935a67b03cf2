"""Watching what a run consumes for days: space on the disk, and the size of its logs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.utils.log_rotation import rotate_log


def free_disk_bytes(folder: Path) -> int:
    """Return how many bytes are free on the disk that holds the folder. Raises `OSError`."""
    return shutil.disk_usage(folder).free


class ResourceWatch:
    """Resumes a run when a full disk has room again, and bounds the logs of workers and supervisor.

    Both are checked in turns of the supervisor's loop, at most every `Policy.disk_retry` and
    `Policy.log_every` seconds.
    """

    def __init__(
        self,
        project: Project,
        project_state: ProjectState,
        device_pool: DevicePool,
        policy: Policy,
        free_bytes: Callable[[Path], int] = free_disk_bytes,
    ) -> None:
        self.project = project
        self.project_state = project_state
        self.device_pool = device_pool
        self.policy = policy
        self.free_bytes = free_bytes
        self.clock = project_state.clock
        self.disk_checked_at = 0.0
        """When the disk was last checked, on the monotonic clock."""
        self.next_log_check = 0.0
        """When the logs are to be checked again, on the monotonic clock."""

    def check_disk(self) -> None:
        """Resume a run that a full disk paused, once `Policy.disk_floor` bytes are free."""
        now = self.clock.monotonic()
        paused = self.project_state.settings.pause_cause == "disk_full"
        if not paused or now - self.disk_checked_at < self.policy.disk_retry:
            return
        self.disk_checked_at = now
        if self.free_bytes(self.project.folder) >= self.policy.disk_floor:
            self.project_state.event("info", "there is room on the disk again")
            self.project_state.resume()

    def bound_logs(self) -> None:
        """Begin every log anew that is larger than `Policy.log_limit`."""
        now = self.clock.monotonic()
        if now < self.next_log_check:
            return
        self.next_log_check = now + self.policy.log_every
        workers = [self.project.worker_log(device) for device in self.device_pool.devices]
        for log in (*workers, self.project.supervisor_log):
            with suppress(OSError):
                rotate_log(log, self.policy.log_limit)
