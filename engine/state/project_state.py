"""What the holder of the project's lock knows, and its one commit about every second."""

from __future__ import annotations

import errno
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from db import flags, projects, requests, supervisor_writes
from db.connection import Full, Unusable, reading, writing
from db.rows import (
    AttemptRow,
    DeviceRow,
    EventRow,
    FailureRow,
    Level,
    ModelRow,
    ProjectRow,
    RecordKey,
    SampleRow,
    ShardRow,
    SupervisorRow,
    ThroughputRow,
    WorkerRow,
)
from engine.project import manifest
from engine.project.caption_log import DiskFull
from engine.project.layout import Project
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.state.task_ledger import TaskLedger

logger = logging.getLogger(__name__)


class ProjectState:
    """The project in memory; changes are gathered here and saved in one transaction."""

    def __init__(self, project: Project, policy: Policy) -> None:
        self.project = project
        self.busy_seconds = policy.busy_seconds
        with reading(project.database) as connection:
            self.settings: ProjectRow = projects.project(connection)
            self.models: dict[int, ModelRow] = {m.id: m for m in projects.models(connection)}
            self.shards: dict[int, ShardRow] = {s.number: s for s in projects.shards(connection)}
            self.ledger = TaskLedger(projects.tasks(connection), policy)
            self.batch_sizes = supervisor_writes.batch_sizes(connection)
            self.flags = flags.places(connection)
            self.known_devices = {
                d.id: d for d in supervisor_writes.devices(connection, present=False)
            }
        self.attempts: dict[tuple[int, int], AttemptRow] = {}
        self.workers: dict[str, WorkerRow] = {}
        self.devices: dict[str, DeviceRow] = {}
        self.failures: dict[int, Sequence[FailureRow]] = {}
        self.throughput: Counter[tuple[int, str, int]] = Counter()
        self.tokens: Counter[tuple[int, str, int]] = Counter()
        self.samples: list[SampleRow] = []
        self.events: list[EventRow] = []
        self.answers: list[tuple[int, str, str]] = []
        self.writes: list[Callable[[Connection], None]] = []
        """Rare changes, each as what it does with the transaction."""

    @property
    def shearing(self) -> Shearing:
        return Shearing(self.settings.shear_mode, self.settings.shear_max_words)

    def model_named(self, name: str) -> ModelRow | None:
        return next((model for model in self.models.values() if model.name == name), None)

    def event(
        self,
        level: Level,
        text: str,
        device: str | None = None,
        model: str | None = None,
        shard: int | None = None,
    ) -> None:
        about = (device, model, None if shard is None else f"shard {shard:05}")
        logger.info("%s", "  ".join(filter(None, (level, *about, text))))
        self.events.append(EventRow(time.time(), level, text, device, model, shard))

    def pause(self, reason: str | None) -> None:
        self.settings = replace(self.settings, paused=True, pause_reason=reason)
        self.writes.append(lambda connection: projects.set_paused(connection, True, reason))

    def resume(self) -> None:
        self.settings = replace(self.settings, paused=False, pause_reason=None)
        self.writes.append(lambda connection: projects.set_paused(connection, False, None))

    def set_shearing(self, shearing: Shearing) -> None:
        mode, max_words = shearing.mode, shearing.max_words
        self.settings = replace(self.settings, shear_mode=mode, shear_max_words=max_words)
        self.writes.append(lambda connection: projects.set_shearing(connection, mode, max_words))

    def forget_witness(self) -> None:
        self.settings = replace(self.settings, witness=None)
        self.writes.append(projects.forget_witness)

    def add_model(self, model: ModelRow) -> None:
        """Its tasks are known to the next that opens the books."""
        self.models[model.id] = model
        shards = list(self.shards.values())
        self.writes.append(lambda connection: projects.add_model(connection, model, shards))

    def save_model(self, model: ModelRow) -> None:
        self.models[model.id] = model
        self.writes.append(lambda connection: projects.save_model(connection, model))

    def flag(self, on: Collection[RecordKey], off: Collection[RecordKey]) -> None:
        self.flags = (self.flags | set(on)) - set(off)
        self.writes.append(lambda connection: flags.change(connection, on, off))

    def remember_batch(self, device: str, model_id: int, size: int) -> None:
        self.batch_sizes[device, model_id] = size
        self.writes.append(lambda c: supervisor_writes.save_batch_size(c, device, model_id, size))

    def forget_batches(self, model_id: int) -> None:
        """What once fitted says nothing about a batch that was set by hand."""
        for key in [key for key in self.batch_sizes if key[1] == model_id]:
            del self.batch_sizes[key]
        self.writes.append(
            lambda connection: supervisor_writes.forget_batch_sizes(connection, model_id)
        )

    def count_images(self, device: str, model_id: int, images: int, tokens: int) -> None:
        key = (int(time.time() // 60), device, model_id)
        self.throughput[key] += images
        self.tokens[key] += tokens

    def commit(self, supervisor: SupervisorRow | None = None) -> None:
        """Saves everything gathered, or, with `Busy` or `OSError`, nothing and keeps it.

        Raises `Damaged` where there is nothing sound left to save to.
        """
        try:
            with writing(self.project.database, self.busy_seconds) as connection:
                self.save(connection, supervisor)
        except Full as error:
            raise DiskFull(str(error)) from error
        except Unusable as error:
            raise OSError(errno.EIO, str(error)) from error
        self.ledger.saved.clear()
        self.attempts = {key: row for key, row in self.attempts.items() if row.ended is None}
        self.workers = {key: row for key, row in self.workers.items() if row.ended is None}
        for gathered in (self.failures, self.throughput, self.tokens):
            gathered.clear()
        for listed in (self.samples, self.events, self.answers, self.writes):
            listed.clear()

    def save(self, connection: Connection, supervisor: SupervisorRow | None) -> None:
        for write in self.writes:
            write(connection)
        supervisor_writes.save_tasks(connection, self.ledger.changed())
        supervisor_writes.save_attempts(connection, list(self.attempts.values()))
        supervisor_writes.save_workers(connection, list(self.workers.values()))
        supervisor_writes.save_devices(connection, list(self.devices.values()))
        for task_id, failures in self.failures.items():
            supervisor_writes.set_failures(connection, task_id, failures)
        supervisor_writes.add_throughput(
            connection,
            [
                ThroughputRow(*key, images, self.tokens[key])
                for key, images in self.throughput.items()
            ],
        )
        supervisor_writes.add_samples(connection, self.samples)
        supervisor_writes.add_events(connection, self.events)
        for number, state, note in self.answers:
            requests.answer(connection, number, state, note)
        if supervisor is not None:
            supervisor_writes.save_supervisor(connection, supervisor)


def keep_manifest(project: Project, project_state: ProjectState) -> None:
    """Brings the file up to what the database says; a full disk can wait."""
    try:
        manifest.save(
            project,
            project_state.settings,
            list(project_state.models.values()),
            list(project_state.shards.values()),
        )
    except OSError as error:
        logger.warning("cannot write %s: %s", project.manifest, error)
