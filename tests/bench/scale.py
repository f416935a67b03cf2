"""What grows with shards and devices, measured on one machine: for the plan in docs/scale.md.

`open SHARDSxMODELS` makes a database of so many tasks, all done, each with its attempt and event,
and times what every start and every look does. `loop DEVICES` runs the real supervisor with so
many workers in its own process that answer at once: its cost a row and a turn of its loop.
`shard ROWS` reads a caption log as a start after a kill does, and ends its task. `minutes ROWS`
fills the table of throughput, which has a row for every minute, device and model.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from db import progress, projects, supervisor_writes
from db.connection import migrate, reading, writing
from db.rows import AttemptRow, DeviceRow, EventRow, ModelRow, ProjectRow, ShardRow, ThroughputRow
from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.process import identity
from engine.project.caption_log import CaptionLog
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.protocol.messages import decode, encode
from engine.shearing.shear import Shearing
from engine.state.completion import complete
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import reconcile
from engine.supervisor.supervisor import Supervisor
from engine.utils import jsonlines
from tests.bench.made import measured
from tests.bench.report import report
from tui.viewmodel import snapshot

CASES = (
    *("open 1500x4", "open 40000x4", "loop 8", "loop 64", "loop 512"),
    *("shard 10000", "shard 100000", "minutes 100000"),
)
SHARD = 10_000
BATCH = 48
SAID = "a dog runs on the beach with a red ball in its mouth near some people. And there is a"
"""30 tokens of a caption are about this long."""


def main(cases: list[str]) -> None:
    for case in [" ".join(cases)] if cases else CASES:
        kind, _, size = case.partition(" ")
        kinds = {"open": opening, "loop": looping, "shard": shard, "minutes": minutes}
        kinds[kind](size)


# Tasks


def opening(size: str) -> None:
    shards, models = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        seconds = timed(lambda: fill(project, shards, models))
        tasks = shards * models
        report("scale", f"{size}: making it", seconds, "s")
        report("scale", f"{size}: project.db", project.database.stat().st_size / tasks, "B/task")
        for name, work in (("open", begin), ("look", look)):
            found = measured(work, project)
            for what, value in found.result.items():
                report("scale", f"{size}: {what}", value, "s")
            report("scale", f"{size}: {name}, peak", found.megabytes, "MB")


def fill(project: Project, shards: int, models: int) -> None:
    migrate(project.database)
    named = [ModelRow(n, n, f"m{n}", "dry-run", None, {}, f"{n:08}") for n in range(1, models + 1)]
    cut = [ShardRow(n, n * SHARD, SHARD, 10**6, f"{n:064}") for n in range(shards)]
    with writing(project.database) as connection:
        projects.create(connection, ProjectRow("uid", 0.0, shards * SHARD, "/x"), named, cut)
        tasks = projects.tasks(connection)
        attempts = [
            AttemptRow(t.id, 1, f"{t.id:012}", "cuda:0", 0.0, 1.0, "done", SHARD) for t in tasks
        ]
        supervisor_writes.save_attempts(connection, attempts)
        said = "done: 9990 captioned, 10 failed, 500 s"
        supervisor_writes.add_events(
            connection, [EventRow(0.0, "info", said, "cuda:0", "m1", t.shard) for t in tasks]
        )
    project_state = ProjectState(project, Policy())
    for model in named:
        (project.captions / model.folder).mkdir(parents=True)
    for task in list(project_state.ledger.tasks.values()):
        log = project.log_file(project_state.models[task.model_id], task.shard)
        log.touch()
        project_state.ledger.done(
            task.id, 1.0, digest=f"{task.id:064}", log_mtime_ns=log.stat().st_mtime_ns
        )
    project_state.commit()


def begin(project: Project) -> dict[str, float]:
    """What a supervisor does before its first worker."""
    project_state: list[ProjectState] = []
    found = {
        "reading the tasks": timed(lambda: project_state.append(ProjectState(project, Policy())))
    }
    found["comparing with the logs"] = timed(lambda: reconcile(project_state[0]))
    found["first commit"] = timed(project_state[0].commit)
    return found


def look(project: Project) -> dict[str, float]:
    found = {"status": timed(lambda: snapshot.status(snapshot.read(project)))}
    with reading(project.database) as connection:
        found["sums of all tasks"] = timed(lambda: progress.sums(connection))
    return found


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def shard(size: str) -> None:
    count = int(size)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "00000.jsonl"
        rows = ({"i": i, "raw": SAID, "tokens": 30, "finish": "length"} for i in range(count))
        log.write_bytes(b"".join(map(line, rows)))
        opening = timed(lambda: CaptionLog(log, count).close())
        report("scale", f"shard of {size}: reading its log", opening * 1000, "ms")
        ending = timed(lambda: complete(log, count, "dry-run", Shearing()))
        report("scale", f"shard of {size}: ending its task", ending * 1000, "ms")
        sheared = next(Path(folder).glob("*.sheared-*"))
        report("scale", f"shard of {size}: log", log.stat().st_size / count, "B/row")
        report("scale", f"shard of {size}: sheared", sheared.stat().st_size / count, "B/row")


def line(row: dict[str, Any]) -> bytes:
    return jsonlines.dumps(row) + b"\n"


def minutes(size: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "project.db"
        migrate(database)
        before = database.stat().st_size
        devices = [f"node-{n // 8:02}/cuda:{n % 8}" for n in range(512)]
        made = [
            ThroughputRow(29_000_000 + n // 512, devices[n % 512], 1, 1200, 36_000)
            for n in range(int(size))
        ]
        with writing(database) as connection:
            supervisor_writes.add_throughput(connection, made)
        value = (database.stat().st_size - before) / int(size)
        report("scale", f"throughput of {size} minutes and devices", value, "B/row")


# Devices


@dataclass
class Here:
    """A worker in the supervisor's process that answers at once, over the real encoding."""

    device: DeviceRow
    id: str
    pid: int = identity.this()[0]
    created: float = identity.this()[1]
    boot_id: str = identity.boot_id()
    cores: int = 1
    said: deque[bytes] = field(default_factory=deque)

    def send(self, message: dict[str, Any]) -> None:
        message = decode(encode(message))
        if message["type"] == "load":
            self.say(type="loaded", model=message["model"]["id"], batch=BATCH, seconds=0.0)
        elif message["type"] == "records":
            numbers = [i for i, _ in message["records"]]
            attempt = {"task": message["task"], "attempt": message["attempt"]}
            for at in range(0, len(numbers), BATCH):
                part = numbers[at : at + BATCH]
                self.say(type="decoding", attempt=message["attempt"], records=part)
                self.say(type="generating", attempt=message["attempt"], records=part)
                rows = [{"i": i, "raw": SAID, "tokens": 30, "finish": "length"} for i in part]
                self.say(type="rows", rows=rows, **attempt)

    def say(self, **message: Any) -> None:
        self.said.append(encode(message))

    def terminate(self) -> None:
        pass

    kill = terminate


class InProcess:
    """One batch of every worker a turn, as workers that are alike answer."""

    def __init__(self, devices: list[DeviceRow]) -> None:
        self.present = devices
        self.workers: list[Here] = []
        self.turns = self.messages = 0
        self.supervisor: Supervisor | None = None
        self.empty = 0.0
        """Seconds of what the loop does where every worker is busy and nothing came."""

    def devices(self) -> list[DeviceRow]:
        return self.present

    def start(self, device: DeviceRow) -> Here:
        self.workers.append(Here(device, f"{len(self.workers):012}"))
        return self.workers[-1]

    def receive(self, timeout: float) -> list[tuple[Here, Any]]:
        self.turns += 1
        received = []
        if self.turns == 8 and self.supervisor is not None:
            self.empty = timed(self.supervisor.watch) + timed(self.supervisor.assign)
        for worker in self.workers:
            for _ in range(min(3, len(worker.said))):
                received.append((worker, decode(worker.said.popleft())))
        self.messages += len(received)
        return received

    def close(self) -> None:
        pass


def looping(size: str) -> None:
    devices = int(size)
    shards = max(2 * devices, 32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captions = folder / "captions.jsonl"
        with captions.open("w") as file:
            for i in range(shards * 1000):
                file.write(f'{{"image": "images/{i:09}.jpg", "caption": "alt text {i}"}}\n')
        wanted = NewProject([captions], [choose("dry-run")], shard_size=1000, allow_missing=True)
        project = create(folder / "run", wanted).project
        launcher = InProcess([DeviceRow(f"cuda:{n}") for n in range(devices)])
        with ProjectLock(project.lock) as lock:
            supervisor = Supervisor(project, launcher, Policy(kill_after=0.0), lock=lock)
            launcher.supervisor = supervisor
            commits = Stopwatch(supervisor.project_state.commit)
            supervisor.project_state.commit = commits
            began, cpu = time.perf_counter(), used()
            supervisor.run()
            seconds, cpu = time.perf_counter() - began, used() - cpu
        logs = list(project.captions.glob("*/?????.jsonl"))
        captioned = sum(log.read_bytes().count(b"\n") for log in logs)
        if captioned != shards * 1000:
            raise SystemExit(f"{captioned} rows for {shards * 1000} records")
        for what, value, unit in (
            ("rows", captioned / seconds, "rows/s"),
            ("CPU", cpu / captioned * 1e6, "s/million rows"),
            ("messages", launcher.messages / seconds, "messages/s"),
            ("a turn of a batch each", seconds / launcher.turns * 1000, "ms"),
            ("a turn without messages", launcher.empty * 1000, "ms"),
            ("a commit", commits.seconds / commits.calls * 1000, "ms"),
            ("a row on disk", logs[0].stat().st_size / 1000, "B"),
        ):
            report("scale", f"{size} devices: {what}", value, unit)


class Stopwatch:
    def __init__(self, work: Callable[..., Any]) -> None:
        self.work, self.seconds, self.calls = work, 0.0, 0

    def __call__(self, *arguments: Any) -> None:
        self.seconds += timed(lambda: self.work(*arguments))
        self.calls += 1


def used() -> float:
    times = resource.getrusage(resource.RUSAGE_SELF)
    return times.ru_utime + times.ru_stime
