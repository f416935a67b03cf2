"""The failure report: every failed record and shard as a CSV table, from the caption logs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

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
    with reading(project.database) as connection:
        models = {model.id: model for model in projects.models(connection)}
        causes = failures.causes(connection) if cause is None else (cause,)
        task_ids = {id for each in causes for id in failures.tasks_with_cause(connection, each)}
        rows = (progress.task(connection, id) for id in sorted(task_ids))
        tasks = [task for task in rows if task is not None]
    kinds = None if cause is None else {cause.kind}
    for task in tasks:
        model = models[task.model_id]
        if task.state == "failed" and (cause is None or cause.scope == "shard"):
            yield task.shard, "", "", model.name, "shard", task.error or ""
        if cause is None or cause.scope == "record":
            yield from record_lines(project, task, model, kinds)


def record_lines(
    project: Project, task: TaskRow, model: ModelRow, kinds: set[str] | None
) -> Iterator[ReportLine]:
    """Yield the lines of the failed records of one task, of these kinds or of all.

    Raises `OSError`, `DamagedFiles`.
    """
    path = project.caption_log_file(model, task.shard)
    wanted = unknown_texts(task.count) if is_scorer(model.family) else None
    log = caption_log.read(path, task.count, wanted=wanted)
    damage = damage_of(path, log, task)
    if damage is not None:
        raise DamagedFiles([damage])
    errors = {i: row for i, row in log.errors.items() if kinds is None or row.error in kinds}
    if not errors:
        return
    for i, record in read_shard(project.shard_file(task.shard)):
        if (row := errors.get(i)) is not None:
            yield task.shard, i, record["image"], model.name, row.error, row.detail
