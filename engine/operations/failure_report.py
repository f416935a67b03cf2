"""The failure report: what failed as a CSV table, or as a list of images, from the caption logs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from db import failures, progress, projects
from db.connection import reading
from db.failures import Cause
from db.rows import ModelRow, TaskRow
from engine.captioners.model_families import is_scorer
from engine.operations.damage import telling_damage
from engine.project import caption_log
from engine.project.damage import DamagedFiles
from engine.project.finished_log import damage_of
from engine.project.layout import Project
from engine.project.log_rows import unknown_texts
from engine.project.protected_files import refuse_protected
from engine.project.shard_file import read_shard
from engine.utils.atomic_write import atomic_write

COLUMNS = ("shard", "record", "image", "model", "kind", "detail")

ReportLine = tuple[int, int | str, str, str, str, str]
"""The values of `COLUMNS`; the line of a failed shard has no record and no image."""


class FailedImage(NamedTuple):
    """An image that failed with one model at least."""

    shard: int
    i: int
    """The index of its record in the shard."""
    image: str
    """As the input names it."""
    reasons: dict[str, list[str]]
    """The names of the models, by kind and detail of what happened to them."""

    @property
    def reason(self) -> str:
        """What happened, with the models, on one line."""
        return "; ".join(f"{text} ({', '.join(names)})" for text, names in self.reasons.items())


def write_csv(
    project: Project, out: Path, cause: Cause | None = None, force: bool = False, tell: bool = True
) -> int:
    """Write what failed for one cause, or for all, and return the number of lines.

    The file is written whole or not at all, over one that is there only if `force` is True. Raises
    `BadInput` if it cannot be written, or if a log is damaged: see `telling_damage` for `tell`.
    """
    refuse_protected(out, project=project)
    line_count = 0
    with (
        telling_damage(project, tell),
        atomic_write(out, force) as part,
        part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for line in report_lines(project, cause):
            table.writerow(line)
            line_count += 1
    return line_count


def report_lines(project: Project, cause: Cause | None) -> Iterator[ReportLine]:
    """Yield the lines of one cause, or of all, in the order of the tasks. Raises `OSError`."""
    tasks, models = failed_tasks(project, cause)
    for task in tasks:
        model = models[task.model_id]
        if task.state == "failed" and (cause is None or cause.scope == "shard"):
            yield task.shard, "", "", model.name, "shard", task.error or ""
        yield from record_lines(project, task, model, cause)


def failed_images(project: Project, cause: Cause | None = None) -> Iterator[FailedImage]:
    """Yield the images that failed for one cause, or for any, in the order of the data set.

    Raises `BadInput` if a shard cannot be read, `OSError`, `DamagedFiles`.
    """
    tasks, models = failed_tasks(project, cause)
    for shard, of_shard in groupby(sorted(tasks, key=attrgetter("shard")), attrgetter("shard")):
        images: dict[int, FailedImage] = {}
        for task in of_shard:
            lines = record_lines(project, task, models[task.model_id], cause)
            for _, i, image, name, kind, detail in lines:
                failed = images.setdefault(i, FailedImage(shard, i, image, {}))
                failed.reasons.setdefault(f"{kind}: {detail}", []).append(name)
        yield from map(images.__getitem__, sorted(images))


def failed_tasks(
    project: Project, cause: Cause | None
) -> tuple[list[TaskRow], dict[int, ModelRow]]:
    """Return the tasks in which something failed, for one cause or for any, by their ids, and all
    models by theirs."""
    with reading(project.database) as connection:
        models = {model.id: model for model in projects.models(connection)}
        causes = failures.causes(connection) if cause is None else (cause,)
        task_ids = {id for each in causes for id in failures.tasks_with_cause(connection, each)}
        rows = (progress.task(connection, id) for id in sorted(task_ids))
        return [task for task in rows if task is not None], models


def record_lines(
    project: Project, task: TaskRow, model: ModelRow, cause: Cause | None
) -> Iterator[tuple[int, int, str, str, str, str]]:
    """Yield the lines of the failed records of one task, for one cause or for any.

    Raises `OSError`, `DamagedFiles`.
    """
    if cause is not None and cause.scope != "record":
        return
    path = project.caption_log_file(model, task.shard)
    wanted = unknown_texts(task.count) if is_scorer(model.family) else None
    log = caption_log.read(path, task.count, wanted=wanted)
    damage = damage_of(path, log, task)
    if damage is not None:
        raise DamagedFiles([damage])
    errors = {i: row for i, row in log.errors.items() if cause is None or row.error == cause.kind}
    if not errors:
        return
    for i, record in read_shard(project.shard_file(task.shard)):
        if (row := errors.get(i)) is not None:
            yield task.shard, i, record["image"], model.name, row.error, row.detail
