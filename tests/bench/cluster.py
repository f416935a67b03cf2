"""The job manager with workers on a Ray cluster, against workers of this machine.

Workers answer at once, so that the manager and the way to it are all that is measured. The cluster
is one node on this machine: a network adds its round trip, of which a worker notices nothing as
long as records wait with it. Time counts from the first row to the last, and the supervisor's CPU
seconds with it. `round trip` is one small message to a worker and its answer.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from engine.captioners.registry import choose
from engine.launchers.base import Launcher, WorkerExit
from engine.launchers.factory import launcher
from engine.operations.new_project import NewProject, create
from engine.project.lock import ProjectLock
from engine.supervisor.supervisor import Supervisor
from tests.bench.made import measured, sizes
from tests.bench.report import report

RECORDS = 200_000
SHARD = 10_000
TRIPS = 1_000
MOST = 8


class Rate(NamedTuple):
    records: float
    """A second."""
    cpu: float
    """Microseconds of the supervisor a message."""


def main(cases: list[str]) -> None:
    from ray.cluster_utils import Cluster

    # Ray's sockets lie there, and the path of a socket must be short.
    short = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    os.environ |= {"RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0"}
    node = {"num_cpus": MOST, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        here, there = (measured(round_trip, spec).result for spec in specs(cluster.address, 1))
        report("cluster", "round trip", there * 1e3, "ms", here * 1e3)
        for devices in sizes(cases, 1, 2, 4, MOST):
            local, on_ray = (
                measured(manage, spec).result for spec in specs(cluster.address, devices)
            )
            case = f"{devices} devices"
            report("cluster", case, on_ray.records, "records/s", local.records)
            report("cluster", case, on_ray.cpu, "CPU us/message", local.cpu)
    finally:
        cluster.shutdown()
        shutil.rmtree(short, ignore_errors=True)


def specs(address: str, devices: int) -> tuple[str, str]:
    return f"cpu:{devices}", f"ray:{address},cpu:{devices}"


def manage(spec: str) -> Rate:
    with tempfile.TemporaryDirectory() as folder:
        captions = Path(folder) / "captions.json"
        records = [{"image": f"{i:07}.jpg", "caption": ""} for i in range(RECORDS)]
        captions.write_text(json.dumps(records))
        wanted = NewProject([captions], [choose("dry-run")], shard_size=SHARD, allow_missing=True)
        project = create(Path(folder) / "run", wanted).project
        with ProjectLock(project.lock) as lock:
            workers = launcher(project, spec, "tests.bench.instant")
            timed = Timed(project, workers, spec=spec, lock=lock)
            if not timed.run():
                raise SystemExit("the run did not finish")
    seconds = timed.last[0] - timed.first[0]
    return Rate(timed.rows / seconds, (timed.last[1] - timed.first[1]) / timed.messages * 1e6)


class Timed(Supervisor):
    """Wall and processor seconds from the first row to the last, and what came between."""

    first = last = (0.0, 0.0)
    rows = messages = 0

    def receive(self, handle: Any, message: Any) -> None:
        super().receive(handle, message)
        now = (time.perf_counter(), time.process_time())
        if isinstance(message, dict) and message["type"] == "rows":
            self.last = now
            if self.first[0]:
                self.rows += len(message["rows"])
        if self.last[0]:
            self.first = self.first if self.first[0] else now
            self.messages += 1


def round_trip(spec: str) -> float:
    """Seconds."""
    with tempfile.TemporaryDirectory() as folder:
        captions = Path(folder) / "captions.json"
        captions.write_text('[{"image": "a.jpg", "caption": ""}]')
        wanted = NewProject([captions], [choose("dry-run")], allow_missing=True)
        workers = launcher(create(Path(folder) / "run", wanted).project, spec, "tests.bench.echo")
        worker = workers.start(workers.devices()[0])
        worker.send({"type": "forget_witness"})
        await_answer(workers)
        began = time.perf_counter()
        for _ in range(TRIPS):
            worker.send({"type": "forget_witness"})
            await_answer(workers)
        seconds = time.perf_counter() - began
        workers.close()
    return seconds / TRIPS


def await_answer(workers: Launcher) -> None:
    while True:
        for _, message in workers.receive(1.0):
            if isinstance(message, WorkerExit):
                raise SystemExit(f"the worker ended: {message}")
            if message["type"] == "heartbeat":
                return
