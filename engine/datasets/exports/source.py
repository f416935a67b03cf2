"""The source of an export, read from a project's database."""

from __future__ import annotations

from collections.abc import Sequence

from db import flags, projects
from db.connection import reading
from engine.datasets.exports.shard_captions import ExportSource
from engine.project.layout import Project
from engine.project.selectors import select_models


def open_export_source(
    project: Project, names: Sequence[str] = (), readonly: bool = False
) -> ExportSource:
    """Return the project as a source, with the models of these names; no names means all models.

    With `readonly` nothing of the project is written. Raises `BadInput` for a name that no model
    has.
    """
    with reading(project.database) as connection:
        models = projects.models(connection)
        return ExportSource(
            project=project,
            settings=projects.project(connection),
            models=select_models(models, names),
            shards=projects.shards(connection),
            tasks={(task.shard, task.model_id): task for task in projects.tasks(connection)},
            flags=flags.record_keys(connection),
            all_models=models,
            readonly=readonly,
        )
