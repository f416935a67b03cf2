"""Making small projects for the fault tests without the command line, and reading their state."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from db import progress, projects
from db.connection import reading
from db.progress import TaskSums
from db.rows import TaskRow
from engine.captioners.registry import choose
from engine.datasets.exports.export import ExportOptions, export
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project


def make_project(
    folder: Path, captions: Path, shard_size: int = 20, batch: int = 8, **options: Any
) -> Project:
    """Make a project for the model `dry-run`. `options` are further fields of `NewProject`."""
    new_project = NewProject(
        captions=[captions], models=[choose("dry-run")], shard_size=shard_size, **options
    )
    project = create(folder, new_project).project
    with closing(sqlite3.connect(project.database)) as connection:
        change = f"UPDATE model SET settings = json_set(settings, '$.batch', {batch})"
        connection.execute(change)
        connection.commit()
    return project


def copy_project(project: Project, folder: Path) -> Project:
    """Copy a project while nothing runs: making one anew and running it takes longer."""
    shutil.copytree(project.folder, folder)
    return Project(folder)


def exported_bytes(project: Project) -> bytes:
    """Export the project and return the file's content."""
    out = project.folder.parent / f"{project.folder.name}-out.json"
    export(project, out, ExportOptions(force=True))
    return out.read_bytes()


def tasks(project: Project) -> tuple[TaskRow, ...]:
    with reading(project.database) as connection:
        return projects.tasks(connection)


def events(project: Project) -> str:
    """Return the texts of the last 200 events, newest first, one a line."""
    with reading(project.database) as connection:
        return "\n".join(event.text for event in progress.events(connection, 200))


def sums(project: Project) -> dict[str, TaskSums]:
    """Return the sums of the tasks' counters, by state of the task."""
    with reading(project.database) as connection:
        return {row.state: row for row in progress.task_sums(connection)}


def row_count(project: Project) -> int:
    """Return the number of lines of all caption logs."""
    logs = (p for p in project.captions.glob("*/*.jsonl") if "sheared" not in p.name)
    return sum(log.read_bytes().count(b"\n") for log in logs)
