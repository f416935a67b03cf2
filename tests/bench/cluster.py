"""The supervisor with workers on a Ray cluster; the baseline is workers of this machine.

The workers answer at once, so that only the supervisor and the transport are measured. The cluster
is one node on this machine. A network would add its round trip, which does not slow a worker down
as long as it has records left. Seconds and the supervisor's CPU seconds are counted from the first
row to the last. `round trip` is one small message to a worker and its answer.
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
from engine.launchers.factory import make_launcher
from engine.operations.new_project import NewProject, create
from engine.project.lock import ProjectLock
from engine.protocol.messages import ForgetWitness, Heartbeat, Rows
from engine.supervisor.supervisor import Supervisor
from tests.bench.measuring import measure, sizes
from tests.bench.report import report

RECORDS = 200_000
SHARD_SIZE = 10_000
ROUND_TRIPS = 1_000
"""Number of messages by which the round trip is measured."""
MAX_DEVICES = 8


class SupervisorRate(NamedTuple):
    """How fast a supervisor handles the messages of its workers."""

    records: float
    """Records a second."""
    cpu: float
    """The supervisor's CPU time for a message, in microseconds."""


def main(cases: list[str]) -> None:
    from ray.cluster_utils import Cluster

    # Ray puts its sockets there, and the path of a socket must be short.
    short = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    os.environ |= {"RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0"}
    node = {"num_cpus": MAX_DEVICES, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        local, on_ray = (measure(round_trip, spec).result for spec in specs(cluster.address, 1))
        report("cluster", "round trip", on_ray * 1e3, "ms", local * 1e3)
        for devices in sizes(cases, 1, 2, 4, MAX_DEVICES):
            local, on_ray = (
                measure(run_supervisor, spec).result for spec in specs(cluster.address, devices)
            )
            case = f"{devices} devices"
            report("cluster", case, on_ray.records, "records/s", local.records)
            report("cluster", case, on_ray.cpu, "CPU us/message", local.cpu)
    finally:
        cluster.shutdown()
        shutil.rmtree(short, ignore_errors=True)


def specs(address: str, devices: int) -> tuple[str, str]:
    """Return the specs of so many devices: of this machine, and of the cluster."""
    return f"cpu:{devices}", f"ray:{address},cpu:{devices}"


def run_supervisor(spec: str) -> SupervisorRate:
    """Run a project of `RECORDS` records on these devices."""
    with tempfile.TemporaryDirectory() as folder:
        captions = Path(folder) / "captions.json"
        records = [{"image": f"{i:07}.jpg", "caption": ""} for i in range(RECORDS)]
        captions.write_text(json.dumps(records))
        new_project = NewProject(
            captions=[captions],
            models=[choose("dry-run")],
            shard_size=SHARD_SIZE,
            allow_missing=True,
        )
        project = create(Path(folder) / "run", new_project).project
        with ProjectLock(project.lock) as lock:
            launcher = make_launcher(project, spec, "tests.bench.instant_worker")
            supervisor = RowTimingSupervisor(project, launcher, spec=spec, lock=lock)
            if not supervisor.run():
                raise SystemExit("the run did not finish")
    seconds = supervisor.last[0] - supervisor.first[0]
    return SupervisorRate(
        supervisor.rows / seconds,
        (supervisor.last[1] - supervisor.first[1]) / supervisor.messages * 1e6,
    )


class RowTimingSupervisor(Supervisor):
    """A supervisor that times the first and the last row, and counts rows and messages between."""

    first = last = (0.0, 0.0)
    """Seconds and CPU seconds when the first and the last rows message had been handled."""
    rows = messages = 0
    """Rows after those of the first message, and messages from the first one on."""

    def receive(self, handle: Any, message: Any) -> None:
        super().receive(handle, message)
        now = (time.perf_counter(), time.process_time())
        if isinstance(message, Rows):
            self.last = now
            if self.first[0]:
                self.rows += len(message.rows)
        if self.last[0]:
            self.first = self.first if self.first[0] else now
            self.messages += 1


def round_trip(spec: str) -> float:
    """Return the mean seconds from sending a message to its answer."""
    with tempfile.TemporaryDirectory() as folder:
        captions = Path(folder) / "captions.json"
        captions.write_text('[{"image": "a.jpg", "caption": ""}]')
        new_project = NewProject(
            captions=[captions], models=[choose("dry-run")], allow_missing=True
        )
        project = create(Path(folder) / "run", new_project).project
        launcher = make_launcher(project, spec, "tests.bench.echo_worker")
        worker = launcher.start(launcher.devices()[0])
        worker.send(ForgetWitness())
        await_answer(launcher)
        began = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            worker.send(ForgetWitness())
            await_answer(launcher)
        seconds = time.perf_counter() - began
        launcher.close()
    return seconds / ROUND_TRIPS


def await_answer(launcher: Launcher) -> None:
    """Wait for a heartbeat, which is the answer of the echo worker."""
    while True:
        for _, message in launcher.receive(1.0):
            if isinstance(message, WorkerExit):
                raise SystemExit(f"the worker ended: {message}")
            if isinstance(message, Heartbeat):
                return
