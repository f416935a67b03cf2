"""Every failed record and shard as a table, from the caption logs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from db import failures, progress, projects
from db.connection import reading
from db.failures import Cause
from db.rows import ModelRow, TaskRow
from engine.project import caption_log
from engine.project.layout import Project
from engine.project.shard_file import read_shard
from engine.utils.errors import BadInput

COLUMNS = ("shard", "record", "image", "model", "kind", "detail")

Line = tuple[int, int | str, str, str, str, str]


def write_csv(project: Project, out: Path, cause: Cause | None = None) -> int:
    """Of one cause, or of all; returns the number of lines. Raises `BadInput`."""
    part = out.with_name(out.name + ".part")
    written = 0
    try:
        with part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for line in lines(project, cause):
                table.writerow(line)
                written += 1
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadInput(f"cannot write {out}: {error.strerror or error}") from error
    return written


def lines(project: Project, cause: Cause | None) -> Iterator[Line]:
    with reading(project.database) as connection:
        models = {model.id: model for model in projects.models(connection)}
        causes = failures.causes(connection) if cause is None else (cause,)
        chosen = sorted({id for each in causes for id in failures.tasks_of(connection, each)})
        tasks = [task for id in chosen if (task := progress.task(connection, id)) is not None]
    kinds = None if cause is None else {cause.kind}
    for task in tasks:
        model = models[task.model_id]
        if task.state == "failed" and (cause is None or cause.scope == "shard"):
            yield task.shard, "", "", model.name, "shard", task.error or ""
        if cause is None or cause.scope == "record":
            yield from records(project, task, model, kinds)


def records(
    project: Project, task: TaskRow, model: ModelRow, kinds: set[str] | None
) -> Iterator[Line]:
    log = caption_log.read(project.log_file(model, task.shard), task.count)
    errors = {i: row for i, row in log.errors.items() if kinds is None or row["error"] in kinds}
    if not errors:
        return
    for i, record in read_shard(project.shard_file(task.shard)):
        if (row := errors.get(i)) is not None:
            detail = str(row.get("detail", ""))
            yield task.shard, i, record["image"], model.name, row["error"], detail
