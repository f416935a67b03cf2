"""Whether a retry of failed records can caption any: their images are decoded before it is asked
for, so that no model is loaded for images that still cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field

from db import progress, projects
from db.connection import reading
from db.rows import ModelRow, RecordKey, TaskRow
from engine.captioners.model_families import is_scorer
from engine.images.image import ImagePaths, ImageProblem, ProblemKind, open_image
from engine.launchers.factory import ClusterSpec
from engine.project import caption_log
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.log_rows import EXCLUDED_KIND, unknown_texts
from engine.project.shard_file import read_shard
from engine.utils.clock import Clock
from engine.utils.plurals import plural

CHECK_SECONDS = 30.0
"""Seconds after which no further task is looked at: a slow file system must not hold up a retry."""
IMAGE_KINDS: Set[ProblemKind] = frozenset(
    ("missing", "outside", "not_a_file", "unreadable", "corrupt", "too_large")
)
"""The kinds of failure that lie in the image, which is looked at again. `timeout` is none: storage
that hung may hang again."""


@dataclass(slots=True)
class RetryCheck:
    """Which tasks have failed records that may be captioned now."""

    worth: list[int] = field(default_factory=list)
    """Ids of tasks with a record to ask for: one whose image can be decoded, or that failed for
    another reason than its image."""
    hopeless: list[int] = field(default_factory=list)
    """Ids of tasks of which no image can be read that failed."""
    problems: dict[RecordKey, str] = field(default_factory=dict)
    """Why the images of these cannot be read, as a kind of failure."""

    def reasons(self) -> str:
        """Return why images cannot be read, as text."""
        counts = Counter(self.problems.values()).most_common()
        return ", ".join(f"{count:,} {kind}" for kind, count in counts)

    def refusal(self) -> str:
        """Return why nothing is retried, as text."""
        images = plural(len(self.problems), "image")
        return (
            f"nothing to retry: {images} that failed still cannot be read ({self.reasons()}), so"
            " that no model is loaded for them: repair the files first"
        )

    def left(self) -> str:
        """Return which tasks are left as they are, as the end of an answer."""
        if not self.hopeless:
            return ""
        images = f"their images still cannot be read ({self.reasons()})"
        return f"; {plural(len(self.hopeless), 'task')} left as they are: {images}"


def check_retry(project: Project, tasks: Sequence[int], clock: Clock) -> RetryCheck:
    """Decode the images of failed records until one of each task is good.

    What cannot be told counts as worth a retry: a log that cannot be read, tasks for which the time
    was too short, and images of a run on a Ray cluster, whose nodes may have them.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = {model.id: model for model in projects.models(connection)}
        rows = [row for id in tasks if (row := progress.task(connection, id)) is not None]
        devices = progress.last_devices(connection) or ""
    check, deadline = RetryCheck(), clock.monotonic() + CHECK_SECONDS
    paths = image_paths_of(project, settings)
    on_cluster = ClusterSpec.parse(devices) is not None
    for task in rows:
        if on_cluster or clock.monotonic() > deadline:
            check.worth.append(task.id)
            continue
        try:
            problems = dict(unreadable(project, task, models[task.model_id], paths))
        except (Readable, OSError, ValueError):
            check.worth.append(task.id)
        else:
            check.hopeless.append(task.id)
            check.problems |= problems
    return check


class Readable(Exception):
    """Raised for the first record of a task that can be asked for again."""


def unreadable(
    project: Project, task: TaskRow, model: ModelRow, paths: ImagePaths
) -> Iterator[tuple[RecordKey, str]]:
    """Yield each failed record of a task, with why its image cannot be read.

    Raises `Readable`, also if nothing has failed, and `OSError` and `ValueError` for files that
    cannot be read.
    """
    log = project.caption_log_file(model, task.shard)
    wanted = unknown_texts(task.count) if is_scorer(model.family) else None
    errors = caption_log.read(log, task.count, wanted=wanted).errors
    failed = {i for i, row in errors.items() if row.error != EXCLUDED_KIND}
    if not failed or any(errors[i].error not in IMAGE_KINDS for i in failed):
        raise Readable
    for i, record in read_shard(project.shard_file(task.shard)):
        if i in failed:
            try:
                open_image(paths.resolve(record["image"])).decode()
            except ImageProblem as problem:
                yield (task.shard, i), problem.kind
            else:
                raise Readable
