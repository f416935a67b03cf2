"""Watching workers and devices: ending workers that hang, and giving up what is gone.

A worker that is to end gets SIGTERM, then SIGKILL after `Policy.kill_after` seconds; one that said
that it exits gets SIGKILL alone, if it does not. What becomes of its task is decided in
`worker_exit` when it has ended.
"""

from __future__ import annotations

from engine.launchers.base import Launcher, WorkerExit
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.supervisor.device_pool import DevicePool
from engine.supervisor.worker_exit import WorkerExitHandler
from engine.supervisor.worker_state import WorkerState


class Watchdog:
    """Ends workers that hang or whose device is gone, and keeps the device pool up to date."""

    def __init__(
        self,
        launcher: Launcher,
        workers: dict[str, WorkerState],
        project_state: ProjectState,
        device_pool: DevicePool,
        worker_exits: WorkerExitHandler,
        policy: Policy,
    ) -> None:
        self.launcher = launcher
        self.workers = workers
        """The supervisor's live workers by worker id, shared with it."""
        self.project_state = project_state
        self.device_pool = device_pool
        self.worker_exits = worker_exits
        self.policy = policy
        self.clock = project_state.clock

    def check(self) -> None:
        """Look at every worker and every device once."""
        now = self.clock.monotonic()
        for worker in list(self.workers.values()):
            if worker.ending_since is None:
                hang_reason = worker.hang_reason(now, self.policy)
                if hang_reason is not None:
                    worker.terminate("hang", hang_reason, now)
            elif not worker.killed and now - worker.ending_since > self.policy.kill_after:
                worker.kill()
            elif now - worker.ending_since > self.policy.kill_after + self.policy.lost_after:
                self.abandon(worker)
        self.update_devices()
        for device_id in self.device_pool.newly_lost():
            self.lose_device(device_id, "the GPU is not there any more")
        for device_id in self.device_pool.found_again():
            self.project_state.event("info", "the GPU is there again", device_id)
            self.device_pool.rest(device_id)  # one that comes and goes takes work from the others
        self.device_pool.wake_rested()

    def update_devices(self) -> None:
        """Take in devices that have come, and terminate the workers of those that have left."""
        known = set(self.device_pool.devices)
        left = self.device_pool.update_devices(self.launcher.devices())
        for worker in self.workers.values():
            if worker.device in left and worker.end_cause is None:
                reason = "its node has left the cluster"
                worker.terminate("node_left", reason, self.clock.monotonic())
        if self.device_pool.devices.keys() != known:
            self.device_pool.save()

    def abandon(self, worker: WorkerState) -> None:
        """Go on without a process that outlives SIGKILL.

        Such a process sits in the driver: its device is lost.
        """
        worker.abandon()
        del self.workers[worker.handle.id]
        self.worker_exits.on_worker_exit(worker, WorkerExit(0))  # `end_cause` says why
        self.lose_device(worker.device, "its worker cannot be killed")

    def lose_device(self, device_id: str, reason: str) -> None:
        """Use the device no more for now, and pause the run if it was the last one."""
        for worker in self.workers.values():
            if worker.device == device_id:
                worker.terminate("device_lost", "device lost", self.clock.monotonic())
        if self.device_pool.mark_lost(device_id, reason):
            self.project_state.pause("devices_lost", "every device is lost")
