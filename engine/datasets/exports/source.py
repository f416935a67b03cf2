"""A project as the source of an export."""

from __future__ import annotations

from collections.abc import Sequence

from db import flags, projects
from db.connection import reading
from engine.datasets.exports.shard_captions import Source
from engine.project.layout import Project
from engine.project.selectors import models_named


def open_source(project: Project, names: Sequence[str] = ()) -> Source:
    """Raises `BadInput` for a model that the project does not have."""
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = models_named(projects.models(connection), names)
        shards = projects.shards(connection)
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
        flagged = flags.places(connection)
    return Source(project, settings, shards, models, tasks, flagged)
