"""The frozen snapshot of a project: what every screen and `status --json` show.

`tui.viewmodel.snapshot_reader` reads snapshots from the database; this module only holds values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from db.rows import (
    CaptionKey,
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
from tui.viewmodel.throughput import Minute, RateInterval

if TYPE_CHECKING:
    from engine.project.lock import LockHolder

ProjectStatus = Literal["idle", "running", "paused", "finished"]
"""The state of the whole project; `idle`: tasks are left, but no supervisor runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProgress:
    """A model and the counts of its records; records of skipped tasks do not count."""

    row: ModelRow
    captioned: int
    """Records with a caption; of a scorer, those with a score of each of their captions."""
    failed: int
    total: int
    left: int
    """Records that a run will still caption: those left in pending and running tasks."""
    rate: float
    """Images per second of all its workers together."""
    pending: int = 0
    """Number of its pending tasks."""
    running: int = 0
    """Number of its running tasks."""
    due_at: float = 0.0
    """When the first of the pending tasks may start, in seconds since the epoch; known only while
    nothing runs."""
    is_scorer: bool = False
    """True if it scores the captions of others and writes none."""

    @property
    def done_word(self) -> str:
        """What was done with its records, for people."""
        return "scored" if self.is_scorer else "captioned"

    @property
    def share(self) -> float:
        """The share of its records that is done, 0 to 1."""
        return done_share(self.captioned + self.failed, self.left, self.total)

    @property
    def eta(self) -> float | None:
        """Seconds until nothing is left at the present rate; None if the rate is 0."""
        return self.left / self.rate if self.rate > 0 else None


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker whose process is alive, with the name of its model and its task, if any."""

    row: WorkerRow
    model: str | None
    task: TaskRow | None


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device of the run, with its live worker and the name of the model it is pinned to."""

    row: DeviceRow
    worker: LiveWorker | None
    pinned_model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of a project at one moment."""

    taken_at: float
    """When it was read: seconds since the epoch."""
    folder: Path
    project: ProjectRow
    shards: int
    records: int
    tasks: Mapping[str, int]
    """The number of tasks in each state of `db.rows.TASK_STATES`."""
    models: tuple[ModelProgress, ...]
    devices: tuple[DeviceView, ...]
    workers: tuple[LiveWorker, ...]
    supervisor: SupervisorRow | None
    """The supervisor that runs now; None if none is alive."""
    images_by_minute: tuple[Minute, ...]
    """Images captioned in each minute of the last hours, by model."""
    recent_rates: tuple[RateInterval, ...]
    """Rates of the last minutes in intervals of ten seconds, as the reader observed them."""
    events: tuple[EventRow, ...]
    """The newest events, newest first."""
    latest_sample: SampleRow | None
    flagged: frozenset[RecordKey] = frozenset()
    """The records that a person flagged."""
    flagged_captions: Mapping[CaptionKey, str] = field(default_factory=dict, hash=False)
    """Why captions are flagged that a person flagged by themselves."""
    last_devices: str = "auto"
    """The devices that the present or the last run was told to use."""
    elsewhere: LockHolder | None = None
    """Who works on the project on another machine or in another PID namespace; None if nobody."""
    supervisor_died: bool = False
    """True if the last supervisor ended without saying so: killed, or its machine went down."""

    @property
    def name(self) -> str:
        """The name of the project folder."""
        return self.folder.name

    @property
    def state(self) -> ProjectStatus:
        if not self.tasks["pending"] and not self.tasks["running"]:
            return "finished"
        if self.project.paused:
            return "paused"
        return "running" if self.supervisor or self.elsewhere else "idle"

    @property
    def where(self) -> str:
        """Where the run is, for behind its state: empty if on this machine, or if nothing runs."""
        return "" if self.elsewhere is None else f" elsewhere ({self.elsewhere})"

    @property
    def rate(self) -> float:
        """Images per second of all workers together."""
        return sum(model.rate for model in self.models)

    @property
    def captioners(self) -> tuple[ModelProgress, ...]:
        """The models that write captions."""
        return tuple(model for model in self.models if not model.is_scorer)

    @property
    def total(self) -> int:
        """The captions of the complete project: a caption a record of every task not skipped."""
        return sum(model.total for model in self.captioners)

    @property
    def left(self) -> int:
        return sum(model.left for model in self.models)

    @property
    def captioned(self) -> int:
        return sum(model.captioned for model in self.captioners)

    @property
    def scored(self) -> int:
        """The images whose captions are scored, by all scorers together."""
        return sum(model.captioned for model in self.models if model.is_scorer)

    @property
    def to_score(self) -> int:
        """The images whose captions are to be scored in the complete project."""
        return sum(model.total for model in self.models if model.is_scorer)

    @property
    def failed(self) -> int:
        return sum(model.failed for model in self.models)

    @property
    def share(self) -> float:
        """The share of all captions and scored images that is done, 0 to 1."""
        done = self.captioned + self.scored + self.failed
        return done_share(done, self.left, self.total + self.to_score)

    @property
    def eta(self) -> float | None:
        """Seconds until nothing is left at the present rate; None if paused or if the rate is 0."""
        if self.project.paused:
            return None
        # Devices move to the model with most work left, so all of them share what is left.
        return self.left / self.rate if self.rate > 0 else None

    @property
    def resting_devices(self) -> tuple[str, ...]:
        """The ids of the devices that the run gives no task for a while after failures."""
        resting = (view.row.id for view in self.devices if view.row.state == "resting")
        return tuple(resting) if self.supervisor is not None else ()

    def model_name(self, model_id: int | None) -> str | None:
        return next((m.row.name for m in self.models if m.row.id == model_id), None)


def done_share(done: int, left: int, total: int) -> float:
    """Return the share of `total` records that is done, 0 to 1; below 1 while any is `left`.

    When records are captioned again, their old captions count as done until they are replaced:
    `done` may equal `total` although records are left.
    """
    if not total:
        return 0.0
    return min(done, total - 1 if left else total) / total
