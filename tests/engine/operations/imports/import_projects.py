"""A small project for tests of imports: 25 records in three shards, and caption files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from db import projects
from db.connection import reading
from db.rows import ModelRow, TaskRow
from engine.captioners.registry import choose
from engine.operations.imports.caption_import import CaptionImport, import_captions
from engine.operations.imports.import_result import ImportResult
from engine.operations.new_project import NewProject, create
from engine.project import caption_log
from engine.project.layout import Project
from engine.project.log_rows import LogContents

RECORDS = 25
SHARD_SIZE = 10


def image(number: int) -> str:
    """Return the image path of a record, given by its record id."""
    return f"train/{number:03}.jpg"


def make_project(folder: Path, images: Sequence[str] | None = None, **values: Any) -> Project:
    """Make a project with the model `dry-run`, whose images need not exist."""
    images = list(map(image, range(RECORDS))) if images is None else images
    file = folder / "input.json"
    file.write_text(json.dumps([{"image": each, "caption": f"alt of {each}"} for each in images]))
    new_project = NewProject(
        captions=[file],
        models=[choose("dry-run")],
        allow_missing=True,
        shard_size=SHARD_SIZE,
        **values,
    )
    return create(folder / "run", new_project).project


def write_captions(path: Path, captions: Sequence[tuple[str, str]]) -> Path:
    """Write (image, caption) pairs as released files have them."""
    path.write_text(json.dumps([{"image": each, "caption": text} for each, text in captions]))
    return path


def bring(project: Project, name: str, *files: Path, **values: Any) -> ImportResult:
    """Import files as the captions of a model."""
    return import_captions(project, CaptionImport(name=name, files=files, **values))


def model_named(project: Project, name: str) -> ModelRow:
    """Return a model of the project."""
    with reading(project.database) as connection:
        return next(model for model in projects.models(connection) if model.name == name)


def tasks_of(project: Project, name: str) -> list[TaskRow]:
    """Return the tasks of a model, by shard."""
    model = model_named(project, name)
    with reading(project.database) as connection:
        return [task for task in projects.tasks(connection) if task.model_id == model.id]


def log_of(project: Project, name: str, shard: int) -> LogContents:
    """Return what a caption log holds."""
    path = project.caption_log_file(model_named(project, name), shard)
    return caption_log.read(path, tasks_of(project, name)[shard].count)


def captions_of(project: Project, name: str) -> dict[int, str]:
    """Return all raw captions of a model by record id."""
    shards = range(len(tasks_of(project, name)))
    return {
        shard * SHARD_SIZE + i: row.raw
        for shard in shards
        for i, row in log_of(project, name, shard).captions.items()
    }


def files_of(project: Project) -> Mapping[str, bytes]:
    """Return the bytes of all caption logs and sheared files by their path."""
    return {
        str(path.relative_to(project.folder)): path.read_bytes()
        for path in sorted(project.captions.rglob("*.jsonl"))
    }
