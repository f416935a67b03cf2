"""Bounding the logs of workers and supervisor, which grow for days."""

from __future__ import annotations

from contextlib import suppress

from engine.project.layout import Project
from engine.state.policy import Policy
from engine.supervisor.device_pool import DevicePool
from engine.utils.clock import Clock
from engine.utils.log_rotation import rotate_log


class LogWatch:
    """Looks at the sizes of a run's logs, at most every `Policy.log_every` seconds."""

    def __init__(
        self, project: Project, device_pool: DevicePool, policy: Policy, clock: Clock
    ) -> None:
        self.project = project
        self.device_pool = device_pool
        self.policy = policy
        self.clock = clock
        self.next_check = 0.0
        """When the logs are to be checked again, on the monotonic clock."""

    def bound_logs(self) -> None:
        """Begin every log anew that is larger than `Policy.log_limit`."""
        now = self.clock.monotonic()
        if now < self.next_check:
            return
        self.next_check = now + self.policy.log_every
        workers = [self.project.worker_log(device) for device in self.device_pool.devices]
        for log in (*workers, self.project.supervisor_log):
            with suppress(OSError):
                rotate_log(log, self.policy.log_limit)
