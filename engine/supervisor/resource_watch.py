"""Watching what a run consumes for days: space on the disk, and the size of its logs."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress

from engine.project.layout import Project
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.task_runner import DISK_FULL
from engine.utils.log_rotation import rotate_log


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
    ) -> None:
        self.project = project
        self.project_state = project_state
        self.device_pool = device_pool
        self.policy = policy
        self.disk_checked_at = 0.0
        """When the disk was last checked, on the monotonic clock."""
        self.next_log_check = 0.0
        """When the logs are to be checked again, on the monotonic clock."""

    def check_disk(self) -> None:
        """Resume a run that a full disk paused, once `Policy.disk_floor` bytes are free."""
        now = time.monotonic()
        paused = self.project_state.settings.pause_reason == DISK_FULL
        if not paused or now - self.disk_checked_at < self.policy.disk_retry:
            return
        self.disk_checked_at = now
        if shutil.disk_usage(self.project.folder).free >= self.policy.disk_floor:
            self.project_state.event("info", "there is room on the disk again")
            self.project_state.resume()

    def bound_logs(self) -> None:
        """Begin every log anew that is larger than `Policy.log_limit`."""
        now = time.monotonic()
        if now < self.next_log_check:
            return
        self.next_log_check = now + self.policy.log_every
        workers = [self.project.worker_log(device) for device in self.device_pool.devices]
        for log in (*workers, self.project.supervisor_log):
            with suppress(OSError):
                rotate_log(log, self.policy.log_limit)
