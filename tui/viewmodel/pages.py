"""What screens show besides the snapshot, read from the database a page at a time.

Every function opens a connection of its own, for a thread, and raises `DatabaseError`. The modules
of `db` that need SQLAlchemy are imported when they are first asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.utils.errors import BadInput
from engine.utils.tail import last_lines
from tui.viewmodel.failures_by_image import ImagePlace
from tui.viewmodel.throughput import MAX_POINTS, ThroughputHistory

if TYPE_CHECKING:
    from db.failures import Cause, Grouping, Occurrence
    from db.history import Work
    from db.rows import AttemptRow, ExportRow, FailureRow, ModelRow, RecordKey, SampleRow, TaskRow
    from db.task_pages import CoverageCell, ShardPage, SortKey
    from engine.operations.last_quality import QualityReport
    from engine.project.layout import Project


@dataclass(frozen=True)
class TaskQuery:
    """Which tasks the Shards screen lists, and in what order."""

    filter: str = ""
    """What a person typed; `db.task_pages` says what it means."""
    sort: SortKey = "shard"
    descending: bool = False


def read_tasks(project: Project, query: TaskQuery, first: int, limit: int) -> ShardPage:
    """Return up to `limit` tasks from the index `first` on. Raises `BadInput` for the filter."""
    from db import task_pages
    from db.connection import reading

    with reading(project.database) as connection:
        try:
            return task_pages.shard_page(
                connection, query.filter, query.sort, query.descending, first, limit
            )
        except task_pages.FilterError as error:
            raise BadInput(str(error)) from error


def read_matching_tasks(project: Project, query: TaskQuery) -> tuple[int, ...]:
    """Return the ids of all tasks that match the filter. Raises `BadInput` for the filter."""
    from db import task_pages
    from db.connection import reading

    with reading(project.database) as connection:
        try:
            return task_pages.matching_tasks(connection, query.filter)
        except task_pages.FilterError as error:
            raise BadInput(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class TaskHistory:
    """The attempts of a task, what failed in them, and the end of its worker's log."""

    attempts: tuple[AttemptRow, ...]
    failures: tuple[FailureRow, ...]
    log: list[str]
    is_scoring: bool = False
    """True if the task is a scorer's."""
    images: Mapping[int, str] = field(default_factory=dict)
    """The images of the failed records that `failures` names, by index."""


def read_task_history(project: Project, task: TaskRow, log_lines: int) -> TaskHistory:
    """Return the history of a task, with at most `log_lines` lines of the log."""
    from db import progress, projects
    from db.connection import reading
    from engine.captioners.model_families import is_scorer

    with reading(project.database) as connection:
        attempts = progress.attempts(connection, task.id)
        failures = progress.failures(connection, task.id)
        families = {model.id: model.family for model in projects.models(connection)}
    log = [] if task.device is None else last_lines(project.worker_log(task.device), log_lines)
    keys = [(task.shard, i) for failure in failures for i, _ in failure.examples]
    places = read_image_places(project, keys) if keys else {}
    return TaskHistory(
        attempts=attempts,
        failures=failures,
        log=log,
        is_scoring=is_scorer(families.get(task.model_id, "")),
        images={i: place.image for (_, i), place in places.items()},
    )


def read_causes(project: Project, grouping: Grouping) -> tuple[Cause, ...]:
    """Return the causes of all failures, grouped."""
    from db import failures
    from db.connection import reading

    with reading(project.database) as connection:
        return failures.causes(connection, grouping)


def read_occurrences(project: Project, cause: Cause, limit: int) -> tuple[Occurrence, ...]:
    """Return the first occurrences of a cause, by shard and model, `limit` at most."""
    from db import failures
    from db.connection import reading

    with reading(project.database) as connection:
        return failures.occurrences(connection, cause, limit)


def read_newest_samples(project: Project, limit: int) -> tuple[SampleRow, ...]:
    """Return the newest sampled captions, `limit` at most, newest first."""
    from db import progress
    from db.connection import reading

    with reading(project.database) as connection:
        return progress.samples(connection, limit)


@dataclass(frozen=True)
class ProjectHistory:
    """What was done with a project since it was made."""

    work: dict[int | None, Work]
    """How long it was worked on, by model id, and under None by all models."""
    images: dict[int, int]
    """How many images each model has looked at, by its id."""
    exports: tuple[ExportRow, ...]
    """The newest exports, newest first."""


def read_project_history(project: Project, exports_shown: int) -> ProjectHistory:
    """Return what was done with a project, with the last `exports_shown` exports."""
    from db import exports, history
    from db.connection import reading

    with reading(project.database) as connection:
        return ProjectHistory(
            history.work_by_model(connection),
            history.images_by_model(connection),
            exports.newest(connection, exports_shown),
        )


def read_last_quality(project: Project, query: None) -> QualityReport | None:
    """Return the quality of all captions as it was counted last, None if it was not."""
    from engine.operations.last_quality import read_last_quality

    return read_last_quality(project)


def read_chosen_records(
    project: Project, keys: Sequence[RecordKey]
) -> list[tuple[int, int, str, str]]:
    """Return shard, index, image and original caption of these records, as far as there are any.

    Raises `OSError`, and `ValueError` for a shard file that is damaged.
    """
    from engine.operations.records import read_records

    return read_records(project, keys)


def read_image_places(project: Project, keys: Sequence[RecordKey]) -> dict[RecordKey, ImagePlace]:
    """Return where the images of these records lie, as far as their shard files can be read."""
    from engine.images.image import ImageProblem

    places: dict[RecordKey, ImagePlace] = {}
    for shard in {shard for shard, _ in keys}:
        try:
            records = read_chosen_records(project, [key for key in keys if key[0] == shard])
        except (BadInput, OSError, ValueError):
            continue
        for _, i, image, _ in records:
            try:
                places[shard, i] = ImagePlace(image, find_image(project, image))
            except ImageProblem:
                places[shard, i] = ImagePlace(image, "")
    return places


def read_image_name(project: Project, key: RecordKey) -> str | None:
    """Return the image of a record as the input names it; None if there is no such record.

    Raises `BadInput` if the shard file cannot be read.
    """
    try:
        records = read_chosen_records(project, [key])
    except (BadInput, OSError, ValueError) as error:
        raise BadInput(f"the file of shard {key[0]:05} cannot be read: see Verify (V)") from error
    return next((image for _, _, image, _ in records), None)


def find_image(project: Project, image: str) -> str:
    """Return the path of an image as its record names it. Raises `ImageProblem`."""
    from engine.operations.records import image_path

    return image_path(project, image)


@dataclass(frozen=True)
class CoverageMatrix:
    """The state of every shard for every model, by groups of consecutive shards."""

    models: tuple[ModelRow, ...]
    shards: int
    shards_per_cell: int
    """The number of shards in a group; each group is one cell of the map."""
    cells: dict[tuple[int, int], CoverageCell]
    """The cells by the index of the group and the id of the model."""

    @property
    def groups(self) -> int:
        """The number of groups of shards."""
        return -(-self.shards // self.shards_per_cell)


def read_coverage(project: Project, groups_per_line: int, lines: int) -> CoverageMatrix:
    """Return the map of all shards, in groups that fit into so many lines of so many cells.

    It shows what is captioned: scorers have no row.
    """
    from db import progress, projects, task_pages
    from db.connection import reading
    from engine.project.selectors import select_captioners

    with reading(project.database) as connection:
        models = tuple(select_captioners(projects.models(connection), ()))
        shards, _ = progress.totals(connection)
        bands = max(1, lines // (len(models) + 1))
        shards_per_cell = max(1, -(-shards // (groups_per_line * bands)))
        cells = task_pages.coverage(connection, shards_per_cell)
    by_group_and_model = {(cell.group, cell.model_id): cell for cell in cells}
    return CoverageMatrix(models, shards, shards_per_cell, by_group_and_model)


def read_seconds_per_image(project: Project, query: None) -> dict[int, float]:
    """Return how many seconds a device took for an image so far, by model id."""
    from db import progress
    from db.connection import reading

    with reading(project.database) as connection:
        return progress.seconds_per_image(connection)


def read_throughput_history(project: Project, now: float) -> ThroughputHistory:
    """Return the images of all time in at most `MAX_POINTS` steps up to `now` (epoch seconds)."""
    from db import progress
    from db.connection import reading

    with reading(project.database) as connection:
        first = progress.first_minute(connection)
        step = max(1, -(-int(now // 60 - (first or now // 60)) // MAX_POINTS))
        series = progress.images_by_minute(connection, 0, step)
    return ThroughputHistory(step, now, series)
