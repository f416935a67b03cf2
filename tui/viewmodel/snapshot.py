"""One frozen picture of the run per tick: what every screen and `status --json` show.

Imports of the database wait until a snapshot is read, so that the first frame need not.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from db.rows import (
    DeviceRow,
    EventRow,
    ModelRow,
    ProjectRow,
    RecordKey,
    SampleRow,
    SupervisorRow,
    TaskRow,
    WorkerRow,
)
from tui.viewmodel.throughput import Minute, Pace

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.progress import Sums
    from engine.project.layout import Project

State = Literal["idle", "running", "paused", "finished"]

SERIES_MINUTES = 6 * 60
EVENTS_SHOWN = 100
SUMS_SHARE = 0.01
"""Summing all tasks is the one query that grows with the project: at most this share of a core."""


@dataclass(frozen=True, slots=True)
class ModelProgress:
    """Records of one model; tasks that are skipped do not count. `left` is what a run will ask."""

    row: ModelRow
    captioned: int
    failed: int
    total: int
    left: int
    rate: float

    @property
    def share(self) -> float:
        return share(self.captioned + self.failed, self.left, self.total)

    @property
    def eta(self) -> float | None:
        return self.left / self.rate if self.rate > 0 else None


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker whose process lives, with the model and task it has."""

    row: WorkerRow
    model: str | None
    task: TaskRow | None


@dataclass(frozen=True, slots=True)
class DeviceView:
    row: DeviceRow
    worker: LiveWorker | None
    pinned: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    taken: float
    folder: Path
    project: ProjectRow
    shards: int
    records: int
    tasks: Mapping[str, int]
    models: tuple[ModelProgress, ...]
    devices: tuple[DeviceView, ...]
    workers: tuple[LiveWorker, ...]
    supervisor: SupervisorRow | None
    series: tuple[Minute, ...]
    """Images captioned in each minute of the last hours, by model."""
    recent: tuple[tuple[float, float, Mapping[int, float]], ...]
    """Images per second as this reader saw them: start, end, and each model's rate."""
    events: tuple[EventRow, ...]
    """Newest first."""
    sample: SampleRow | None
    flags: frozenset[RecordKey] = frozenset()
    last_devices: str = "auto"
    """Where it runs or ran last."""
    died: bool = False
    """Whether the last run ended without a word: killed, or its machine went down."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> State:
        if not self.tasks["pending"] and not self.tasks["running"]:
            return "finished"
        if self.project.paused:
            return "paused"
        return "running" if self.supervisor else "idle"

    @property
    def rate(self) -> float:
        return sum(model.rate for model in self.models)

    @property
    def total(self) -> int:
        return sum(model.total for model in self.models)

    @property
    def left(self) -> int:
        return sum(model.left for model in self.models)

    @property
    def captioned(self) -> int:
        return sum(model.captioned for model in self.models)

    @property
    def failed(self) -> int:
        return sum(model.failed for model in self.models)

    @property
    def share(self) -> float:
        return share(self.captioned + self.failed, self.left, self.total)

    @property
    def eta(self) -> float | None:
        """Devices move to the model with most work left, so all of them share what is left."""
        if self.project.paused:
            return None
        return self.left / self.rate if self.rate > 0 else None

    def model_name(self, model_id: int | None) -> str | None:
        return next((m.row.name for m in self.models if m.row.id == model_id), None)


def share(done: int, left: int, total: int) -> float:
    """Not all, while something is done again: what it replaces counts until then."""
    if not total:
        return 0.0
    return min(done, total - 1 if left else total) / total


class Reader:
    """Reads snapshots over one connection, and reads nothing while nothing changes."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.lock = Lock()
        self.opened: AbstractContextManager[Connection] | None = None
        self.connection: Connection | None = None
        self.version: int | None = None
        self.last: Snapshot | None = None
        self.series: tuple[Minute, ...] = ()
        self.gone: Counter[int] = Counter()
        """Images of minutes that are too long ago to be kept, by model."""
        self.pace = Pace()
        self.sums: tuple[Sums, ...] = ()
        self.sums_version: int | None = None
        self.next_sums = 0.0

    def read(self) -> Snapshot:
        """The same object as last time if nothing changed. Raises `DatabaseError`."""
        from db.connection import translate_sqlite_errors

        with self.lock, translate_sqlite_errors(self.project.database):
            try:
                return self.look()
            except Exception:
                self.disconnect()
                raise

    def look(self) -> Snapshot:
        from db import progress
        from engine.process.identity import lives

        connection = self.connect()
        version = progress.data_version(connection)
        due = version != self.sums_version and time.monotonic() >= self.next_sums
        if self.last and version == self.version and not due:
            known = [worker.row for worker in self.last.workers]
            supervisor = self.last.supervisor
            if all(map(lives, known)) and (supervisor is None or lives(supervisor)):
                return self.last
        self.version = version
        self.last = self.take(connection)
        return self.last

    def connect(self) -> Connection:
        from db.connection import reading

        if self.connection is None:
            self.opened = reading(self.project.database)
            self.connection = self.opened.__enter__()
        return self.connection

    def close(self) -> None:
        with self.lock:
            self.disconnect()

    def disconnect(self) -> None:
        opened, self.opened, self.connection = self.opened, None, None
        self.version = self.sums_version = None
        if opened is not None:
            opened.__exit__(None, None, None)

    def take(self, connection: Connection) -> Snapshot:
        from db import flags, progress, projects, supervisor_writes
        from engine.process.identity import lives

        now = time.time()
        models = projects.models(connection)
        names = {model.id: model.name for model in models}
        shards, records = progress.totals(connection)
        sums = self.task_sums(connection)
        last = progress.supervisor(connection)
        supervisor = last if last and lives(last) else None
        workers = live_workers(connection, names, supervisor)
        series = self.minutes(connection, int(now // 60))
        self.pace.see(now, self.gone + images_by_model(series))
        return Snapshot(
            taken=now,
            folder=self.project.folder,
            project=projects.project(connection),
            shards=shards,
            records=records,
            tasks=progress.tasks_by_state(sums),
            models=tuple(model_progress(model, sums, workers) for model in models),
            devices=device_views(supervisor_writes.devices(connection), workers, names),
            workers=workers,
            supervisor=supervisor,
            died=last is not None and supervisor is None,
            series=series,
            recent=self.pace.rates(now),
            events=progress.events(connection, EVENTS_SHOWN),
            sample=next(iter(progress.samples(connection, 1)), None),
            flags=flags.places(connection),
            last_devices=progress.last_devices(connection) or "auto",
        )

    def minutes(self, connection: Connection, now: int) -> tuple[Minute, ...]:
        """Only the newest minutes are read again: the others do not change any more."""
        from db import progress

        known = [row for row in self.series if row[0] >= now - SERIES_MINUTES]
        since = known[-1][0] - 1 if known else now - SERIES_MINUTES
        kept = [row for row in known if row[0] < since]
        self.gone.update(images_by_model(self.series[: len(self.series) - len(known)]))
        self.series = (*kept, *progress.images_by_minute(connection, since))
        return self.series

    def task_sums(self, connection: Connection) -> tuple[Sums, ...]:
        from db import progress

        began = time.monotonic()
        if began >= self.next_sums and self.version != self.sums_version:
            self.sums = progress.sums(connection)
            spent = time.monotonic() - began
            self.sums_version = self.version
            self.next_sums = began + spent / SUMS_SHARE
        return self.sums


def images_by_model(series: tuple[Minute, ...]) -> Counter[int]:
    images: Counter[int] = Counter()
    for _, model, count in series:
        images[model] += count
    return images


def live_workers(
    connection: Connection, names: Mapping[int, str], supervisor: SupervisorRow | None
) -> tuple[LiveWorker, ...]:
    from db import progress
    from engine.process.identity import ELSEWHERE, lives

    rows = [
        row
        for row in progress.workers(connection)
        if lives(row) and (supervisor is not None or row.boot_id != ELSEWHERE)
    ]
    tasks = {task.id: task for task in progress.running_tasks(connection)} if rows else {}
    return tuple(
        LiveWorker(
            row,
            None if row.model_id is None else names.get(row.model_id),
            None if row.task_id is None else tasks.get(row.task_id),
        )
        for row in rows
    )


def model_progress(
    model: ModelRow, sums: tuple[Sums, ...], workers: tuple[LiveWorker, ...]
) -> ModelProgress:
    mine = [row for row in sums if row.model_id == model.id and row.state != "skipped"]
    return ModelProgress(
        row=model,
        captioned=sum(row.captioned for row in mine),
        failed=sum(row.failed for row in mine),
        total=sum(row.total for row in mine),
        left=sum(row.left for row in mine if row.state in ("pending", "running")),
        rate=sum((worker.row.rate for worker in workers if worker.row.model_id == model.id), 0.0),
    )


def device_views(
    devices: tuple[DeviceRow, ...], workers: tuple[LiveWorker, ...], names: Mapping[int, str]
) -> tuple[DeviceView, ...]:
    by_device = {worker.row.device: worker for worker in workers}
    return tuple(
        DeviceView(
            device,
            by_device.get(device.id),
            None if device.pinned_model_id is None else names.get(device.pinned_model_id),
        )
        for device in devices
    )


def read(project: Project) -> Snapshot:
    """One snapshot, for commands."""
    reader = Reader(project)
    try:
        return reader.read()
    finally:
        reader.close()


def status(snapshot: Snapshot) -> dict[str, Any]:
    """What `status --json` prints."""
    supervisor = snapshot.supervisor
    return {
        "project": str(snapshot.folder),
        "state": snapshot.state,
        "images": snapshot.records,
        "shards": snapshot.shards,
        "tasks": dict(snapshot.tasks),
        "models": [
            {
                "name": model.row.name,
                "captioned": model.captioned,
                "failed": model.failed,
                "total": model.total,
                "images_per_second": round(model.rate, 3),
                "eta_seconds": None if model.eta is None else round(model.eta, 1),
            }
            for model in snapshot.models
        ],
        "workers": [
            {
                "device": worker.row.device,
                "pid": worker.row.pid,
                "model": worker.model,
                "state": worker.row.state,
                "shard": None if worker.task is None else worker.task.shard,
                "images_per_second": round(worker.row.rate, 3),
            }
            for worker in snapshot.workers
        ],
        "supervisor": None if supervisor is None else {"pid": supervisor.pid},
    }
