"""The whole project in the memory of whoever holds its lock, and the one commit that saves it.

Everything that changes is gathered in `ProjectState` and written in one transaction; the supervisor
commits about once a second.
"""

from __future__ import annotations

import errno
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection

from db import flags, notices, progress, projects, ratings, requests, supervisor_writes
from db.connection import (
    DatabaseDamaged,
    DatabaseDiskFull,
    DatabaseUnusable,
    reading,
    writing,
)
from db.rows import (
    AttemptRow,
    DeviceRow,
    EventLevel,
    EventRow,
    FailureRow,
    ModelRow,
    NoticeKind,
    NoticeRow,
    PauseCause,
    ProjectRow,
    Rating,
    RatingKey,
    RecordKey,
    SampleRow,
    ShardRow,
    SupervisorRow,
    TaskRow,
    ThroughputRow,
    WorkerRow,
)
from engine.captioners.model_families import is_scorer
from engine.captioners.registry import IMPORTED
from engine.notices.notifier import hooks_for, start_notifier
from engine.project import manifest, outside_images
from engine.project.caption_log import DiskFull
from engine.project.layout import Project
from engine.project.log_rows import Wanted
from engine.project.scored_texts import texts_to_score
from engine.shearing.shear import Shearing
from engine.state.policy import Policy
from engine.state.task_ledger import TaskLedger
from engine.utils.clock import Clock, SystemClock

logger = logging.getLogger(__name__)

MAX_NOTICE_TEXT = 1_000
"""Characters of a notice's text: some are read on a telephone, and all stay in the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedProject:
    """A project as its database has it."""

    settings: ProjectRow
    models: Sequence[ModelRow]
    shards: Sequence[ShardRow]
    tasks: Sequence[TaskRow]
    batch_sizes: dict[tuple[str, int], int] = field(default_factory=dict)
    """The largest batch that is known to fit, by (device id, model id)."""
    flags: frozenset[RecordKey] = frozenset()
    ratings: dict[RatingKey, Rating] = field(default_factory=dict)
    devices: Sequence[DeviceRow] = ()
    """Every device of all runs so far."""
    killed_at: float | None = None
    """The last sign of life of a supervisor that ended without saying so, in seconds since the
    epoch; None if the last one ended in order."""


def read_project(connection: Connection) -> SavedProject:
    """Read everything that a run needs to know of a project. The caller holds its lock."""
    supervisor = progress.supervisor(connection)
    return SavedProject(
        settings=projects.project(connection),
        models=projects.models(connection),
        shards=projects.shards(connection),
        tasks=projects.tasks(connection),
        batch_sizes=supervisor_writes.batch_sizes(connection),
        flags=frozenset(flags.record_keys(connection)),
        ratings=ratings.all_ratings(connection),
        devices=supervisor_writes.devices(connection, present=False),
        killed_at=None if supervisor is None else supervisor.heartbeat,
    )


class ProjectState:
    """The project's settings, models, shards and tasks, and what is to be saved of them next.

    Made by the holder of the project's lock, of which there is one at a time: nobody else writes
    these tables.
    """

    def __init__(self, project: Project, saved: SavedProject, policy: Policy, clock: Clock) -> None:
        self.project = project
        self.clock = clock
        """The clock by which everything about this project is decided."""
        self.busy_seconds = policy.busy_seconds
        self.killed_at = saved.killed_at
        """When the last run was killed, as far as is known; None if it ended in order."""
        self.settings = saved.settings
        self.models = {model.id: model for model in saved.models}
        self.shards = {shard.number: shard for shard in saved.shards}
        scorers = {model.id for model in saved.models if is_scorer(model.family)}
        self.ledger = TaskLedger(saved.tasks, policy, scorers)
        self.batch_sizes = dict(saved.batch_sizes)
        """The largest batch that is known to fit, by (device id, model id)."""
        self.flags = set(saved.flags)
        self.ratings = dict(saved.ratings)
        self.known_devices = {device.id: device for device in saved.devices}
        """Every device of this and earlier runs, by id: their pins are taken over."""
        self.attempts: dict[tuple[int, int], AttemptRow] = {}
        """Attempts that run, or ended since the last commit, by (task id, number)."""
        self.workers: dict[str, WorkerRow] = {}
        """Workers that live, or ended since the last commit, by worker id."""
        self.devices: dict[str, DeviceRow] = {}
        self.failures: dict[int, Sequence[FailureRow]] = {}
        """Failed records of tasks where they changed since the last commit, by task id."""
        self.throughput: Counter[tuple[int, str, int]] = Counter()
        """Images since the last commit, by (minute since the epoch, device id, model id)."""
        self.tokens: Counter[tuple[int, str, int]] = Counter()
        """Tokens since the last commit, by the same keys."""
        self.samples: list[SampleRow] = []
        self.events: list[EventRow] = []
        self.notices: list[NoticeRow] = []
        self.answers: list[tuple[int, str, str, dict[str, Any] | None]] = []
        """Answers to requests, as (request id, "done" or "refused", text, result)."""
        self.unwritable: Path | None = None
        """The file that could not be written or read when the run was paused for that; None if it
        is not known."""
        self.unsaved = False
        """True if the last commit failed for another reason than a busy database."""
        self.manifest_trouble: str | None = None
        """Why `project.json` could not be written when that was tried last; None if it was."""
        self.writes: list[Callable[[Connection], None]] = []
        """Rare changes, each as a function that makes it within the transaction, in order."""

    @classmethod
    def load(cls, project: Project, policy: Policy, clock: Clock | None = None) -> Self:
        """Read the project's database. Raises `DatabaseError`."""
        with reading(project.database) as connection:
            saved = read_project(connection)
        return cls(project, saved, policy, clock or SystemClock())

    @property
    def shearing(self) -> Shearing:
        """How the project shears its captions."""
        return Shearing.of(self.settings)

    def left_open_at(self) -> float:
        """Return when the attempts ended that an earlier supervisor left open."""
        now = self.clock.time()
        return now if self.killed_at is None else min(now, self.killed_at)

    def outside_allowed(self) -> bool:
        """Return True if this user has allowed images outside the image root (`outside_images`)."""
        return outside_images.is_allowed(
            self.project, self.settings, self.models.values(), self.shards.values()
        )

    def wanted(self, task: TaskRow) -> Wanted | None:
        """Return the texts that a scorer's task is to score; None for a captioner's.

        Raises `OSError`.
        """
        if task.model_id not in self.ledger.scorers:
            return None
        shard, models = self.shards[task.shard], self.models.values()
        return texts_to_score(self.project, shard, models, self.shearing)

    def model_named(self, name: str) -> ModelRow | None:
        """Return the model of that name, or None."""
        return next((model for model in self.models.values() if model.name == name), None)

    def event(
        self,
        level: EventLevel,
        text: str,
        device: str | None = None,
        model: str | None = None,
        shard: int | None = None,
    ) -> None:
        """Record an event for the screens and write it to the log of this process."""
        about = (device, model, None if shard is None else f"shard {shard:05}")
        logger.info("%s", "  ".join(filter(None, (level, *about, text))))
        row = EventRow(
            created=self.clock.time(),
            level=level,
            text=text,
            device=device,
            model=model,
            shard=shard,
        )
        self.events.append(row)

    def tell(
        self,
        kind: NoticeKind,
        text: str,
        model: str | None = None,
        cause: str | None = None,
        key: str | None = None,
    ) -> None:
        """Have the user told something wherever they are, by their hooks, once it is saved.

        The text holds no caption. What has the same `key` is told once, also by later runs.
        """
        row = NoticeRow(
            created=self.clock.time(),
            kind=kind,
            text=text[:MAX_NOTICE_TEXT],
            model=model,
            cause=cause,
            key=key,
        )
        self.notices.append(row)

    def pause(self, cause: PauseCause, reason: str | None = None) -> None:
        """Pause the run. `reason` says the cause as a text; None if a person asked for it."""
        if cause != self.settings.pause_cause:
            self.tell("paused", f"paused: {reason or 'by the user'}", cause=cause)
        self.settings = replace(self.settings, paused=True, pause_cause=cause, pause_reason=reason)
        self.writes.append(lambda c: projects.set_paused(c, True, reason, cause))

    def resume(self) -> None:
        """Let the run go on."""
        self.settings = replace(self.settings, paused=False, pause_cause=None, pause_reason=None)
        self.writes.append(lambda connection: projects.set_paused(connection, False, None))

    def set_shearing(self, shearing: Shearing) -> None:
        """Change how the project shears; the sheared files are written by the caller."""
        mode, max_words = shearing.mode, shearing.max_words
        self.settings = replace(self.settings, shear_mode=mode, shear_max_words=max_words)
        self.writes.append(lambda connection: projects.set_shearing(connection, mode, max_words))

    def forget_witness(self) -> None:
        """Have no witness image any more: missing images are probed by the image root alone."""
        self.settings = replace(self.settings, witness=None)
        self.writes.append(projects.forget_witness)

    def add_model(self, model: ModelRow) -> None:
        """Add a model with a task for every shard.

        The ledger here does not learn of these tasks: the next `ProjectState` reads them.
        """
        self.models[model.id] = model
        shards = list(self.shards.values())
        self.writes.append(lambda connection: projects.add_model(connection, model, shards))

    def fail_if_imported(self, task_id: int, now: float) -> None:
        """Fail a pending task of an imported model: it lacks captions, and no run makes them."""
        task = self.ledger[task_id]
        model = self.models[task.model_id]
        if task.state != "pending" or model.family != IMPORTED:
            return
        text = f"{model.name} lacks captions here: import its files again"
        self.event("fail", text, model=model.name, shard=task.shard)
        self.ledger.fail(task_id, now, text, "log_incomplete")

    def save_model(self, model: ModelRow) -> None:
        """Replace the model's row."""
        self.models[model.id] = model
        self.writes.append(lambda connection: projects.save_model(connection, model))

    def flag(self, on: Collection[RecordKey], off: Collection[RecordKey]) -> None:
        """Flag the records `on`, and take the flags of the records `off` away."""
        self.flags = (self.flags | set(on)) - set(off)
        self.writes.append(lambda connection: flags.change(connection, on, off))

    def rate(self, on: Mapping[RatingKey, Rating], off: Collection[RatingKey]) -> None:
        """Rate the captions `on`, and take the ratings of the captions `off` away."""
        remaining = {key: it for key, it in self.ratings.items() if key not in set(off)}
        self.ratings = remaining | dict(on)
        self.writes.append(lambda connection: ratings.change(connection, on, off))

    def remember_batch(self, device: str, model_id: int, size: int) -> None:
        """Note the largest batch that is known to fit."""
        self.batch_sizes[device, model_id] = size
        self.writes.append(lambda c: supervisor_writes.save_batch_size(c, device, model_id, size))

    def forget_batches(self, model_id: int) -> None:
        """Forget what fitted on every device, for a model whose batch was set by hand."""
        for key in [key for key in self.batch_sizes if key[1] == model_id]:
            del self.batch_sizes[key]
        self.writes.append(
            lambda connection: supervisor_writes.forget_batch_sizes(connection, model_id)
        )

    def count_images(self, device: str, model_id: int, images: int, tokens: int) -> None:
        """Add to the throughput of the present minute."""
        key = (int(self.clock.time() // 60), device, model_id)
        self.throughput[key] += images
        self.tokens[key] += tokens

    def commit(self, supervisor: SupervisorRow | None = None) -> None:
        """Save everything gathered since the last commit, in one transaction.

        Raises `DatabaseBusy`, or `OSError` (`DiskFull` among them), and then nothing is saved and
        all of it is kept for the next commit; `DatabaseDamaged` if the database is not sound any
        more, or is gone.
        """
        try:
            with writing(self.project.database, self.busy_seconds) as connection:
                self.save(connection, supervisor)
        except DatabaseDiskFull as error:
            self.unsaved = True
            raise DiskFull(str(error)) from error
        except DatabaseUnusable as error:
            self.unsaved = True
            if not self.project.database.exists():
                text = f"{self.project.database} was removed: 'mllmaug-tui run' makes it again"
                raise DatabaseDamaged(text) from error
            raise OSError(errno.EIO, str(error)) from error
        self.unsaved = False
        if self.notices:
            start_notifier(self.project)
        self.ledger.last_saved.clear()
        self.attempts = {key: row for key, row in self.attempts.items() if row.ended is None}
        self.workers = {key: row for key, row in self.workers.items() if row.ended is None}
        for gathered in (self.failures, self.throughput, self.tokens):
            gathered.clear()
        for listed in (self.samples, self.events, self.notices, self.answers, self.writes):
            listed.clear()

    def save(self, connection: Connection, supervisor: SupervisorRow | None) -> None:
        """Write everything gathered within the transaction of `connection`."""
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
                ThroughputRow(
                    minute=minute,
                    device=device,
                    model_id=model_id,
                    images=images,
                    tokens=self.tokens[minute, device, model_id],
                )
                for (minute, device, model_id), images in self.throughput.items()
            ],
        )
        supervisor_writes.add_samples(connection, self.samples)
        supervisor_writes.add_events(connection, self.events)
        notices.add(connection, self.notices, hooks_for)
        for answer in self.answers:
            requests.answer(connection, *answer)
        if supervisor is not None:
            supervisor_writes.save_supervisor(connection, supervisor)


def keep_manifest(project: Project, project_state: ProjectState) -> None:
    """Bring `project.json` up to the project's state; an `OSError` is only logged, and once."""
    trouble = None
    try:
        manifest.save(
            project,
            project_state.settings,
            list(project_state.models.values()),
            list(project_state.shards.values()),
        )
    except OSError as error:
        trouble = f"cannot write {project.manifest}: {error.strerror or error}"
    if trouble is not None and trouble != project_state.manifest_trouble:
        logger.warning("%s", trouble)
    project_state.manifest_trouble = trouble
