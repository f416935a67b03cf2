"""Reads snapshots of a project from its database, once a tick.

The modules of `db` that need SQLAlchemy are imported when the first snapshot is read, so that the
application's first frame need not wait for them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import TYPE_CHECKING

from db.rows import DeviceRow, FailedImages, ModelRow, SupervisorRow, WorkerRow
from engine.state.killed_run import killed_event
from tui.viewmodel.load_history import LoadHistory
from tui.viewmodel.snapshot import DeviceView, LiveWorker, ModelProgress, Snapshot
from tui.viewmodel.throughput import Minute, ThroughputMeter

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.progress import TaskSums
    from engine.project.layout import Project
    from engine.project.live_run import LiveRun

SERIES_MINUTES = 6 * 60
"""Minutes of throughput that a snapshot holds: the longest window of the throughput chart."""
EVENTS_SHOWN = 100
"""The number of newest events that a snapshot holds."""
SUMS_SHARE = 0.01
"""The largest share of one core that sums over all tasks and failures may take.

These queries alone cost more the larger the project is, so they rest after each time.
"""


class SnapshotReader:
    """Reads snapshots over one connection; while nothing changes, it returns the last one.

    Safe to use from several threads: one reads at a time.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.lock = Lock()
        self.connection_context: AbstractContextManager[Connection] | None = None
        self.connection: Connection | None = None
        self.version: int | None = None
        """SQLite's data version when `last` was read; None: read again in any case."""
        self.last: Snapshot | None = None
        self.supervisor_row: SupervisorRow | None = None
        """The supervisor that `last` was made of, alive or not."""
        self.images_by_minute: tuple[Minute, ...] = ()
        self.dropped_images: Counter[int] = Counter()
        """Images by model id of the minutes that left `images_by_minute` for their age."""
        self.meter = ThroughputMeter()
        self.load_history = LoadHistory()
        self.first_notice: int | None = None
        """The id of the newest notice when the first snapshot was read; None before that."""
        self.sums: tuple[TaskSums, ...] = ()
        self.failed_images = FailedImages()
        self.waiting_for_captions: dict[int, int] = {}
        """Pending tasks of scorers whose shards are still captioned, by model id."""
        self.sums_version: int | None = None
        """The data version when these three were read."""
        self.next_sums = 0.0
        """When the tasks may be summed again (monotonic clock)."""

    def read(self) -> Snapshot:
        """Return the newest snapshot: the same object as last time if nothing changed.

        Raises `DatabaseError`; the next call then opens the database again.
        """
        from db.connection import translate_sqlite_errors

        with self.lock, translate_sqlite_errors(self.project.database):
            try:
                return self.read_if_changed()
            except Exception:
                self.disconnect()
                raise

    def read_if_changed(self) -> Snapshot:
        from db import progress
        from engine.project.live_run import LiveRun, find_live_run

        connection = self.connect()
        version = progress.data_version(connection)
        sums_due = version != self.sums_version and time.monotonic() >= self.next_sums
        if self.last and version == self.version and not sums_due:
            live_run = find_live_run(self.project, self.supervisor_row)
            workers = [worker.row for worker in self.last.workers]
            # A process that is killed changes nothing in the database.
            unchanged = live_run == LiveRun(self.last.supervisor, self.last.elsewhere)
            if unchanged and live_workers(workers, live_run) == workers:
                return self.last
        self.version = version
        self.last = self.build_snapshot(connection)
        return self.last

    def connect(self) -> Connection:
        from db.connection import reading

        if self.connection is None:
            self.connection_context = reading(self.project.database)
            self.connection = self.connection_context.__enter__()
        return self.connection

    def close(self) -> None:
        with self.lock:
            self.disconnect()

    def disconnect(self) -> None:
        context, self.connection_context, self.connection = self.connection_context, None, None
        self.version = self.sums_version = None
        if context is not None:
            context.__exit__(None, None, None)

    def build_snapshot(self, connection: Connection) -> Snapshot:
        from db import flags, notices, progress, projects, ratings, supervisor_writes
        from engine.hardware.host import measure_host
        from engine.project.live_run import find_live_run

        now = time.time()
        models = projects.models(connection)
        names = {model.id: model.name for model in models}
        shards, records = progress.totals(connection)
        self.read_sums(connection, models)
        sums = self.sums
        if self.first_notice is None:
            self.first_notice = notices.last_id(connection)
        self.supervisor_row = progress.supervisor(connection)
        live_run = find_live_run(self.project, self.supervisor_row)
        workers = views_of_workers(
            connection, names, live_workers(progress.workers(connection), live_run)
        )
        nothing_runs = live_run.supervisor is not None and not any(w.task for w in workers)
        due_at = progress.first_due(connection) if nothing_runs else {}
        killed_at = time_of_kill(self.supervisor_row, live_run)
        events = progress.events(connection, EVENTS_SHOWN)
        if killed_at is not None:
            events = (killed_event(killed_at), *events)
        images_by_minute = self.update_minutes(connection, int(now // 60))
        devices = device_views(supervisor_writes.devices(connection), workers, names)
        self.load_history.observe(now, load_figures(devices))
        self.meter.observe(now, self.dropped_images + images_by_model(images_by_minute))
        return Snapshot(
            taken_at=now,
            folder=self.project.folder,
            project=projects.project(connection),
            shards=shards,
            records=records,
            tasks=progress.tasks_by_state(sums),
            models=tuple(
                model_progress(
                    model,
                    sums,
                    workers,
                    due_at.get(model.id, 0.0),
                    self.waiting_for_captions.get(model.id, 0),
                )
                for model in models
            ),
            failed_images=self.failed_images,
            devices=devices,
            recent_load=self.load_history.recent(),
            host=measure_host(self.project.folder),
            workers=workers,
            supervisor=live_run.supervisor,
            elsewhere=live_run.elsewhere,
            killed_at=killed_at,
            images_by_minute=images_by_minute,
            recent_rates=self.meter.rates(now),
            events=events,
            latest_sample=next(iter(progress.samples(connection, 1)), None),
            flagged=flags.record_keys(connection),
            ratings=ratings.current(connection),
            notices=notices.after(connection, self.first_notice),
            last_devices=progress.last_devices(connection) or "auto",
        )

    def update_minutes(self, connection: Connection, now: int) -> tuple[Minute, ...]:
        """Bring `images_by_minute` up to `now` (minutes since the epoch) and return it."""
        from db import progress

        in_window = [row for row in self.images_by_minute if row[0] >= now - SERIES_MINUTES]
        # Only the newest minutes are read again: the others do not change any more.
        since = in_window[-1][0] - 1 if in_window else now - SERIES_MINUTES
        unchanged = [row for row in in_window if row[0] < since]
        dropped = self.images_by_minute[: len(self.images_by_minute) - len(in_window)]
        self.dropped_images.update(images_by_model(dropped))
        self.images_by_minute = (*unchanged, *progress.images_by_minute(connection, since))
        return self.images_by_minute

    def read_sums(self, connection: Connection, models: Sequence[ModelRow]) -> None:
        """Read what is summed over all tasks, at most as often as `SUMS_SHARE` allows."""
        from db import failures, progress
        from engine.captioners.model_families import is_scorer

        began = time.monotonic()
        if began < self.next_sums or self.version == self.sums_version:
            return
        self.sums = progress.task_sums(connection)
        scorers = [model.id for model in models if is_scorer(model.family)]
        self.waiting_for_captions = progress.waiting_for_captions(connection, scorers)
        self.failed_images = FailedImages()
        if least := max(images_failed_by_model(self.sums).values(), default=0):
            named = failures.failed_images(connection)
            # The counters may be ahead of what is named, which is saved later.
            self.failed_images = named if named.count >= least else FailedImages(least, False)
        spent = time.monotonic() - began
        self.sums_version = self.version
        self.next_sums = began + spent / SUMS_SHARE


def read_snapshot(project: Project) -> Snapshot:
    """Read one snapshot, for commands. Raises `DatabaseError`."""
    reader = SnapshotReader(project)
    try:
        return reader.read()
    finally:
        reader.close()


def images_failed_by_model(sums: Sequence[TaskSums]) -> Counter[int]:
    """Return at how many images each model failed, by its id; skipped tasks do not count."""
    failed: Counter[int] = Counter()
    for row in sums:
        failed[row.model_id] += 0 if row.state == "skipped" else row.failed
    return failed


def time_of_kill(row: SupervisorRow | None, live_run: LiveRun) -> float | None:
    """Return the last sign of life of the supervisor of a row that ended without saying so.

    None if there is no such row, or if somebody works on the project all the same.
    """
    if row is None or live_run.supervisor is not None or live_run.elsewhere is not None:
        return None
    return row.heartbeat


def images_by_model(images_by_minute: tuple[Minute, ...]) -> Counter[int]:
    """Return the images of all minutes together, by model id."""
    images: Counter[int] = Counter()
    for _, model, count in images_by_minute:
        images[model] += count
    return images


def live_workers(rows: Sequence[WorkerRow], live_run: LiveRun) -> list[WorkerRow]:
    """Return the workers whose processes are alive."""
    from engine.process.identity import ELSEWHERE, has_heartbeat, is_alive

    if live_run.supervisor is None:  # a worker on another machine is known through it alone
        return [row for row in rows if row.boot_id != ELSEWHERE and is_alive(row)]
    return [
        row
        for row in rows
        if (has_heartbeat(row) if live_run.elsewhere is not None else is_alive(row))
    ]


def views_of_workers(
    connection: Connection, names: Mapping[int, str], rows: Sequence[WorkerRow]
) -> tuple[LiveWorker, ...]:
    """Return live workers with their tasks; `names` are the models' names by id."""
    from db import progress

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
    model: ModelRow,
    sums: tuple[TaskSums, ...],
    workers: tuple[LiveWorker, ...],
    due_at: float,
    waiting_for_captions: int,
) -> ModelProgress:
    from engine.captioners.model_families import is_scorer

    own_sums = [row for row in sums if row.model_id == model.id and row.state != "skipped"]
    open_sums = [row for row in own_sums if row.state in ("pending", "running")]
    return ModelProgress(
        row=model,
        captioned=sum(row.captioned for row in own_sums),
        failed=sum(row.failed for row in own_sums),
        total=sum(row.total for row in own_sums),
        left=sum(row.left for row in open_sums),
        rate=sum((worker.row.rate for worker in workers if worker.row.model_id == model.id), 0.0),
        pending=sum(row.tasks for row in own_sums if row.state == "pending"),
        running=sum(row.tasks for row in own_sums if row.state == "running"),
        asked=sum(row.asked for row in open_sums),
        asked_left=sum(row.asked_left for row in open_sums),
        due_at=due_at,
        waiting_for_captions=waiting_for_captions,
        is_scorer=is_scorer(model.family),
    )


def device_views(
    devices: tuple[DeviceRow, ...], workers: tuple[LiveWorker, ...], names: Mapping[int, str]
) -> tuple[DeviceView, ...]:
    """Return each device with its live worker; `names` are the models' names by id."""
    by_device = {worker.row.device: worker for worker in workers}
    return tuple(
        DeviceView(
            device,
            by_device.get(device.id),
            None if device.pinned_model_id is None else names.get(device.pinned_model_id),
        )
        for device in devices
    )


def load_figures(devices: Sequence[DeviceView]) -> dict[str, float]:
    """Return how busy each device with a worker is: see `Snapshot.recent_load`."""
    return {
        view.row.id: view.worker.row.rate if view.row.utilisation is None else view.row.utilisation
        for view in devices
        if view.worker is not None
    }
