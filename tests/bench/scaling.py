"""One to eight devices that sleep like a GPU: what the manager costs each of them.

A device's rate counts from its load to its last row, the gaps between shards included. The
baseline is the rate of one device alone.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.captioners.registry import choose
from engine.hardware.devices import find
from engine.launchers.local import LocalLauncher
from engine.operations.new_project import NewProject, create
from engine.project.lock import ProjectLock
from engine.supervisor.supervisor import Supervisor
from tests.bench.made import sizes
from tests.bench.report import report

SHARD = 512
SHARDS = 3
"""For each device."""


def main(cases: list[str]) -> None:
    alone: float | None = None
    for devices in sizes(cases, 1, 2, 4, 8):
        with tempfile.TemporaryDirectory() as folder:
            rate = measure(devices, Path(folder))
        alone = alone or rate
        report("scaling", f"{devices} devices", rate, "images/s each", alone)


def measure(devices: int, folder: Path) -> float:
    """Images a second of one device, on average."""
    captions = folder / "captions.json"
    records = range(SHARD * SHARDS * devices)
    captions.write_text(json.dumps([{"image": f"{i:06}.jpg", "caption": ""} for i in records]))
    wanted = NewProject([captions], [choose("dry-run")], shard_size=SHARD, allow_missing=True)
    project = create(folder / "run", wanted).project
    spec = f"cpu:{devices}"
    with ProjectLock(project.lock) as lock:
        launcher = LocalLauncher(project, find(spec), "tests.bench.sleeping")
        timed = Timed(project, launcher, spec=spec, lock=lock)
        if not timed.run():
            raise SystemExit("the run did not finish")
    return sum(timed.rate(worker) for worker in timed.loaded) / devices


class Timed(Supervisor):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.loaded: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.rows: dict[str, int] = {}

    def receive(self, handle: Any, message: Any) -> None:
        kind = message["type"] if isinstance(message, dict) else None
        if kind == "loaded":
            self.loaded[handle.id] = time.monotonic()
        elif kind == "rows":
            self.last[handle.id] = time.monotonic()
            self.rows[handle.id] = self.rows.get(handle.id, 0) + len(message["rows"])
        super().receive(handle, message)

    def rate(self, worker: str) -> float:
        if worker not in self.rows:
            return 0.0
        return self.rows[worker] / (self.last[worker] - self.loaded[worker])
