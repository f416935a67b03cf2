"""Costs that grow with shards and devices, measured on one machine for the plan in docs/scale.md.

`open SHARDSxMODELS` makes a database of so many tasks, all done, each with its attempt and event,
and times what every start of a supervisor and every snapshot does. `loop DEVICES` runs the real
supervisor with so many workers in its own process that answer at once: its cost per row and per
turn of its loop. `shard ROWS` reads a caption log as a start after a kill does, and completes its
task. `minutes ROWS` fills the table of throughput, which has a row for every minute, device and
model.
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
from engine.protocol.caption_row import CaptionRow
from engine.protocol.framing import MessageReader, encode, parse_line
from engine.protocol.messages import (
    Decoding,
    FromWorker,
    Generating,
    Load,
    Loaded,
    Records,
    Rows,
    ToWorker,
    from_supervisor,
)
from engine.shearing.shear import Shearing
from engine.state.completion import complete_log
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.state.reconcile import reconcile
from engine.supervisor.supervisor import Supervisor
from engine.utils import jsonlines
from tests.bench.measuring import measure
from tests.bench.report import report
from tui.viewmodel.snapshot_reader import read_snapshot
from tui.viewmodel.status import status_dict

CASES = (
    *("open 1500x4", "open 40000x4", "loop 8", "loop 64", "loop 512"),
    *("shard 10000", "shard 100000", "minutes 100000"),
)
SHARD_SIZE = 10_000
BATCH = 48
"""Number of rows in a message."""
CAPTION = "a dog runs on the beach with a red ball in its mouth near some people. And there is a"
"""A raw caption of typical length, about 30 tokens."""


def main(cases: list[str]) -> None:
    for case in [" ".join(cases)] if cases else CASES:
        name, _, size = case.partition(" ")
        measures = {
            "open": measure_open,
            "loop": measure_loop,
            "shard": measure_shard,
            "minutes": measure_minutes,
        }
        measures[name](size)


# Tasks


def measure_open(size: str) -> None:
    """Report the size of a project's database, and what a start and a snapshot take."""
    shards, models = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        seconds = seconds_of(lambda: fill(project, shards, models))
        tasks = shards * models
        report("scale", f"{size}: making it", seconds, "s")
        report("scale", f"{size}: project.db", project.database.stat().st_size / tasks, "B/task")
        for name, work in (("open", start_supervisor), ("look", take_snapshot)):
            measurement = measure(work, project)
            for step, value in measurement.result.items():
                report("scale", f"{size}: {step}", value, "s")
            report("scale", f"{size}: {name}, peak", measurement.megabytes, "MB")


def fill(project: Project, shards: int, models: int) -> None:
    """Make the database of a project whose tasks are all done, and empty caption logs."""
    migrate(project.database)
    model_rows = [
        ModelRow(
            id=n,
            position=n,
            name=f"m{n}",
            family="dry-run",
            checkpoint=None,
            settings={},
            settings_hash=f"{n:08}",
        )
        for n in range(1, models + 1)
    ]
    shard_rows = [
        ShardRow(number=n, first=n * SHARD_SIZE, count=SHARD_SIZE, bytes=10**6, digest=f"{n:064}")
        for n in range(shards)
    ]
    with writing(project.database) as connection:
        projects.create(
            connection,
            ProjectRow(uid="uid", created=0.0, records=shards * SHARD_SIZE, image_root="/x"),
            model_rows,
            shard_rows,
        )
        tasks = projects.tasks(connection)
        attempts = [
            AttemptRow(
                task_id=t.id,
                number=1,
                worker_id=f"{t.id:012}",
                device="cuda:0",
                started=0.0,
                ended=1.0,
                outcome="done",
                rows=SHARD_SIZE,
            )
            for t in tasks
        ]
        supervisor_writes.save_attempts(connection, attempts)
        text = "done: 9990 captioned, 10 failed, 500 s"
        supervisor_writes.add_events(
            connection,
            [
                EventRow(
                    created=0.0, level="info", text=text, device="cuda:0", model="m1", shard=t.shard
                )
                for t in tasks
            ],
        )
    project_state = ProjectState.load(project, Policy())
    for model in model_rows:
        (project.captions / model.folder).mkdir(parents=True)
    for task in list(project_state.ledger.tasks.values()):
        log = project.caption_log_file(project_state.models[task.model_id], task.shard)
        log.touch()
        project_state.ledger.mark_done(
            task.id, 1.0, digest=f"{task.id:064}", log_mtime_ns=log.stat().st_mtime_ns
        )
    project_state.commit()


def start_supervisor(project: Project) -> dict[str, float]:
    """Return the seconds of each step that a supervisor does before it starts its first worker."""
    project_state: list[ProjectState] = []
    return {
        "reading the tasks": seconds_of(
            lambda: project_state.append(ProjectState.load(project, Policy()))
        ),
        "comparing with the logs": seconds_of(lambda: reconcile(project_state[0])),
        "first commit": seconds_of(lambda: project_state[0].commit()),
    }


def take_snapshot(project: Project) -> dict[str, float]:
    """Return the seconds of `status`, and of the query for the sums of all tasks."""
    seconds = {"status": seconds_of(lambda: status_dict(read_snapshot(project)))}
    with reading(project.database) as connection:
        seconds["sums of all tasks"] = seconds_of(lambda: progress.task_sums(connection))
    return seconds


def seconds_of(function: Callable[[], Any]) -> float:
    """Call the function and return the seconds that this takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def measure_shard(size: str) -> None:
    """Report what reading and completing one caption log takes, and the size of its rows."""
    count = int(size)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "00000.jsonl"
        rows = ({"i": i, "raw": CAPTION, "tokens": 30, "finish": "length"} for i in range(count))
        log.write_bytes(b"".join(jsonlines.dumps(row) + b"\n" for row in rows))
        seconds = seconds_of(lambda: CaptionLog(log, count).close())
        report("scale", f"shard of {size}: reading its log", seconds * 1000, "ms")
        seconds = seconds_of(lambda: complete_log(log, count, "dry-run", Shearing()))
        report("scale", f"shard of {size}: ending its task", seconds * 1000, "ms")
        sheared = next(Path(folder).glob("*.sheared-*"))
        report("scale", f"shard of {size}: log", log.stat().st_size / count, "B/row")
        report("scale", f"shard of {size}: sheared", sheared.stat().st_size / count, "B/row")


def measure_minutes(size: str) -> None:
    """Report the size of a row of the table of throughput."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "project.db"
        migrate(database)
        before = database.stat().st_size
        devices = [f"node-{n // 8:02}/cuda:{n % 8}" for n in range(512)]
        rows = [
            ThroughputRow(
                minute=29_000_000 + n // 512,
                device=devices[n % 512],
                model_id=1,
                images=1200,
                tokens=36_000,
            )
            for n in range(int(size))
        ]
        with writing(database) as connection:
            supervisor_writes.add_throughput(connection, rows)
        value = (database.stat().st_size - before) / int(size)
        report("scale", f"throughput of {size} minutes and devices", value, "B/row")


# Devices


@dataclass
class InProcessWorker:
    """A worker in the supervisor's process that answers at once, in really encoded messages."""

    device: DeviceRow
    id: str
    pid: int = identity.this_process()[0]
    created: float = identity.this_process()[1]
    boot_id: str = identity.boot_id()
    cores: int = 1
    outbox: deque[bytes] = field(default_factory=deque)
    """Encoded messages that the supervisor has not received yet."""
    reader: MessageReader = field(default_factory=MessageReader)

    def send(self, message: ToWorker) -> None:
        message = from_supervisor(parse_line(encode(message)))
        if isinstance(message, Load):
            self.answer(Loaded(model=message.model.id, batch=BATCH, seconds=0.0))
        elif isinstance(message, Records):
            indexes = tuple(i for i, _ in message.records)
            task, attempt = message.task, message.attempt
            for first in range(0, len(indexes), BATCH):
                part = indexes[first : first + BATCH]
                self.answer(Decoding(task=task, attempt=attempt, records=part))
                self.answer(Generating(task=task, attempt=attempt, records=part))
                rows = tuple(CaptionRow(i=i, raw=CAPTION, tokens=30, finish="length") for i in part)
                self.answer(Rows(task=task, attempt=attempt, rows=rows))

    def answer(self, message: FromWorker) -> None:
        """Put a message into the outbox."""
        self.outbox.append(encode(message))

    def receive(self) -> list[FromWorker]:
        """Return up to three messages from the outbox: a batch."""
        lines = b"".join(self.outbox.popleft() for _ in range(min(3, len(self.outbox))))
        return list(self.reader.feed(lines))

    def terminate(self) -> None:
        pass

    kill = terminate


class InProcessLauncher:
    """A launcher whose workers each deliver one batch per turn, as equally fast workers would."""

    def __init__(self, devices: list[DeviceRow]) -> None:
        self.device_rows = devices
        self.workers: list[InProcessWorker] = []
        self.turns = self.messages = 0
        self.supervisor: Supervisor | None = None
        self.idle_seconds = 0.0
        """Seconds of a turn in which every worker is busy and no message came."""

    def devices(self) -> list[DeviceRow]:
        return self.device_rows

    def start(self, device: DeviceRow) -> InProcessWorker:
        self.workers.append(InProcessWorker(device, f"{len(self.workers):012}"))
        return self.workers[-1]

    def receive(self, timeout: float) -> list[tuple[InProcessWorker, Any]]:
        self.turns += 1
        received = []
        if self.turns == 8 and self.supervisor is not None:
            self.idle_seconds = seconds_of(self.supervisor.watchdog.check) + seconds_of(
                lambda: self.supervisor.dispatcher.dispatch(stopping=False)
            )
        for worker in self.workers:
            received += [(worker, message) for message in worker.receive()]
        self.messages += len(received)
        return received

    def close(self) -> None:
        pass


def measure_loop(size: str) -> None:
    """Run the supervisor with so many workers, and report its cost per row, turn and commit."""
    devices = int(size)
    shards = max(2 * devices, 32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captions = folder / "captions.jsonl"
        with captions.open("w") as file:
            for i in range(shards * 1000):
                file.write(f'{{"image": "images/{i:09}.jpg", "caption": "alt text {i}"}}\n')
        new_project = NewProject(
            captions=[captions], models=[choose("dry-run")], shard_size=1000, allow_missing=True
        )
        project = create(folder / "run", new_project).project
        launcher = InProcessLauncher([DeviceRow(id=f"cuda:{n}") for n in range(devices)])
        with ProjectLock(project.lock) as lock:
            supervisor = Supervisor(project, launcher, Policy(kill_after=0.0), lock=lock)
            launcher.supervisor = supervisor
            commits = Stopwatch(supervisor.project_state.commit)
            setattr(supervisor.project_state, "commit", commits)  # noqa: B010 (a method)
            began, cpu = time.perf_counter(), cpu_seconds()
            supervisor.run()
            seconds, cpu = time.perf_counter() - began, cpu_seconds() - cpu
        logs = list(project.captions.glob("*/?????.jsonl"))
        captioned = sum(log.read_bytes().count(b"\n") for log in logs)
        if captioned != shards * 1000:
            raise SystemExit(f"{captioned} rows for {shards * 1000} records")
        for quantity, value, unit in (
            ("rows", captioned / seconds, "rows/s"),
            ("CPU", cpu / captioned * 1e6, "s/million rows"),
            ("messages", launcher.messages / seconds, "messages/s"),
            ("a turn of a batch each", seconds / launcher.turns * 1000, "ms"),
            ("a turn without messages", launcher.idle_seconds * 1000, "ms"),
            ("a commit", commits.seconds / commits.calls * 1000, "ms"),
            ("a row on disk", logs[0].stat().st_size / 1000, "B"),
        ):
            report("scale", f"{size} devices: {quantity}", value, unit)


class Stopwatch:
    """A function that is timed and counted."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds, self.calls = function, 0.0, 0

    def __call__(self, *arguments: Any) -> None:
        self.seconds += seconds_of(lambda: self.function(*arguments))
        self.calls += 1


def cpu_seconds() -> float:
    """Return the CPU seconds of this process, without its children."""
    times = resource.getrusage(resource.RUSAGE_SELF)
    return times.ru_utime + times.ru_stime
