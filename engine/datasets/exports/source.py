"""The source of an export, read from a project's database."""

from __future__ import annotations

from collections.abc import Sequence

from db import flags, projects, ratings
from db.connection import reading
from engine.captioners.model_families import is_scorer
from engine.datasets.exports.shard_captions import ExportSource
from engine.project.layout import Project
from engine.project.selectors import select_captioners


def open_export_source(
    project: Project, names: Sequence[str] = (), readonly: bool = False
) -> ExportSource:
    """Return the project as a source, with the models of these names; no names means all models.

    With `readonly` nothing of the project is written. Raises `BadInput` for a name that no model
    has.
    """
    with reading(project.database) as connection:
        everything = projects.models(connection)
        return ExportSource(
            project=project,
            settings=projects.project(connection),
            models=select_captioners(everything, names),
            shards=projects.shards(connection),
            tasks={(task.shard, task.model_id): task for task in projects.tasks(connection)},
            flags=flags.record_keys(connection),
            caption_flags=ratings.reasons_of_bad(connection),
            all_models=select_captioners(everything, ()),
            scorers=[model for model in everything if is_scorer(model.family)],
            readonly=readonly,
        )
