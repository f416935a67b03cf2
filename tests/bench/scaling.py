"""The supervisor's cost for each of one to eight devices, whose workers sleep like a GPU.

A device's rate is measured from its load to its last row, gaps between shards included. The
baseline is the rate of one device alone.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.captioners.registry import choose
from engine.hardware.devices import find_devices
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.lock import ProjectLock
from engine.protocol.messages import Loaded, Rows
from engine.supervisor.supervisor import Supervisor
from tests.bench.measuring import sizes
from tests.bench.report import report

SHARD_SIZE = 512
SHARDS = 3
"""Number of shards for each device."""


def main(cases: list[str]) -> None:
    alone: float | None = None
    for devices in sizes(cases, 1, 2, 4, 8):
        with tempfile.TemporaryDirectory() as folder:
            rate = measure_rate(devices, Path(folder))
        alone = alone or rate
        report("scaling", f"{devices} devices", rate, "images/s each", alone)


def measure_rate(devices: int, folder: Path) -> float:
    """Return the mean images a second of a device."""
    captions = folder / "captions.json"
    records = range(SHARD_SIZE * SHARDS * devices)
    captions.write_text(json.dumps([{"image": f"{i:06}.jpg", "caption": ""} for i in records]))
    new_project = NewProject(
        captions=[captions], models=[choose("dry-run")], shard_size=SHARD_SIZE, allow_missing=True
    )
    project = create(folder / "run", new_project).project
    spec = f"cpu:{devices}"
    with ProjectLock(project.lock) as lock:
        launcher = LocalLauncher(project, find_devices(spec), "tests.bench.sleeping_worker")
        supervisor = RateTimingSupervisor(project, launcher, spec=spec, lock=lock)
        if not supervisor.run():
            raise SystemExit("the run did not finish")
    return sum(supervisor.rate(worker) for worker in supervisor.loaded) / devices


class RateTimingSupervisor(Supervisor):
    """A supervisor that measures the rate of each worker.

    `loaded` and `last` are the monotonic times of the load and of the last row, `rows` the number
    of rows, all by worker id.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.loaded: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.rows: dict[str, int] = {}

    def receive(self, handle: Any, message: Any) -> None:
        if isinstance(message, Loaded):
            self.loaded[handle.id] = time.monotonic()
        elif isinstance(message, Rows):
            self.last[handle.id] = time.monotonic()
            self.rows[handle.id] = self.rows.get(handle.id, 0) + len(message.rows)
        super().receive(handle, message)

    def rate(self, worker: str) -> float:
        """Return the worker's images a second."""
        if worker not in self.rows:
            return 0.0
        return self.rows[worker] / (self.last[worker] - self.loaded[worker])
