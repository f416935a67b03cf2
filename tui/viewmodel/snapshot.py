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
    FailedImages,
    ModelRow,
    NoticeRow,
    ProjectRow,
    Rating,
    RecordKey,
    SampleRow,
    SupervisorRow,
    TaskRow,
    WorkerRow,
)
from tui.viewmodel.finish_times import finish_times
from tui.viewmodel.throughput import Minute, RateInterval

if TYPE_CHECKING:
    from engine.hardware.host import HostFigures
    from engine.project.lock import LockHolder

ProjectStatus = Literal["idle", "running", "paused", "killed", "finished"]
"""The state of the whole project.

- `idle`: tasks are left, but no supervisor runs.
- `killed`: the same, and the last supervisor ended without saying so: it was killed, or its machine
  went down.
"""


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
    asked: int = 0
    """Records that a person asked for again in pending and running tasks."""
    asked_left: int = 0
    """How many of them are still to be captioned again."""
    waiting_for_captions: int = 0
    """Number of a scorer's pending tasks whose shards are still captioned."""
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
    def done(self) -> int:
        """Records that are done: captioned or failed, and not to be captioned again."""
        return min(self.captioned + self.failed, self.total - self.left)

    @property
    def share(self) -> float:
        """The share of its records that is done, 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def may_go_on(self) -> bool:
        """True unless the model was stopped for the health of its captions."""
        return self.row.health_stop is None


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
    recent_load: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)
    """How busy each device was in the last intervals (`tui.viewmodel.load_history`), by its id: its
    utilisation in percent, or its images per second where that is not measured."""
    host: HostFigures | None = None
    """What this machine has free; None where it was not measured."""
    failed_images: FailedImages = FailedImages()  # noqa: RUF009 (frozen)
    """The images that failed with any model, each counted once."""
    flagged: frozenset[RecordKey] = frozenset()
    """The records that a person flagged."""
    ratings: Mapping[CaptionKey, Rating] = field(default_factory=dict, hash=False)
    """What a person said of captions."""
    notices: tuple[NoticeRow, ...] = ()
    """What users are told of the run (`db.notices`) since the first snapshot was read."""
    last_devices: str = "auto"
    """The devices that the present or the last run was told to use."""
    elsewhere: LockHolder | None = None
    """Who works on the project on another machine or in another PID namespace; None if nobody."""
    killed_at: float | None = None
    """The last sign of life, in seconds since the epoch, of a supervisor that ended without saying
    so: it was killed, or its machine went down. None once another one runs."""

    @property
    def name(self) -> str:
        """The name of the project folder."""
        return self.folder.name

    @property
    def state(self) -> ProjectStatus:
        if not self.tasks["pending"] and not self.tasks["running"]:
            return "finished"
        if self.killed_at is not None:
            return "killed"
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
        """How often a model failed at an image: an image counts once for each such model."""
        return sum(model.failed for model in self.models)

    @property
    def share(self) -> float:
        """The share of all captions and scored images that is done, 0 to 1."""
        total = self.total + self.to_score
        return sum(model.done for model in self.models) / total if total else 0.0

    @property
    def finish_times(self) -> dict[int, float]:
        """Seconds until each model is done at the present rates, by model id; empty if paused, or
        if no device works. A model that waits for a person is not among them."""
        if self.project.paused:
            return {}
        models = [model for model in self.models if model.may_go_on]
        return finish_times(
            {model.row.id: model.left for model in models},
            {model.row.id: model.rate for model in models},
        )

    @property
    def eta(self) -> float | None:
        """Seconds until the last model is done; None as `finish_times` is empty."""
        return max(self.finish_times.values(), default=None)

    @property
    def resting_devices(self) -> tuple[str, ...]:
        """The ids of the devices that the run gives no task for a while after failures."""
        resting = (view.row.id for view in self.devices if view.row.state == "resting")
        return tuple(resting) if self.supervisor is not None else ()

    def model_name(self, model_id: int | None) -> str | None:
        return next((m.row.name for m in self.models if m.row.id == model_id), None)
