"""The manifest: a small JSON file from which a lost database is rebuilt.

Shards and caption logs hold what was captioned. Image root, models and their settings are not in
them; the manifest, beside the database, keeps a copy of these.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from typing import Any

from db.rows import ModelRow, ProjectRow, ShardRow
from engine.project.layout import Project
from engine.utils.errors import BadInput

NO_TROUBLE: dict[str, Any] = {
    "blocked": None,
    "load_failures": 0,
    "unavailable": None,
    "not_before": 0.0,
}
"""The fields of a model about its failures so far, as of a new model: they are not saved."""

ManifestContents = tuple[ProjectRow, list[ModelRow], list[ShardRow]]


def save(
    project: Project, settings: ProjectRow, models: list[ModelRow], shards: list[ShardRow]
) -> None:
    """Write the manifest, whole or not at all, unless nothing changed. Raises `OSError`."""
    contents = {
        "project": asdict(replace(settings, paused=False, pause_reason=None)),
        "models": [asdict(replace(model, **NO_TROUBLE)) for model in models],
        "shards": [asdict(shard) for shard in shards],
    }
    data = json.dumps(contents, indent=1).encode()
    if project.manifest.exists() and project.manifest.read_bytes() == data:
        return
    part = project.manifest.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(project.manifest)


def load(project: Project) -> ManifestContents:
    """Return the project's settings, models and shards. Raises `BadInput`."""
    try:
        contents: dict[str, Any] = json.loads(project.manifest.read_bytes())
        path_map = tuple((old, new) for old, new in contents["project"]["path_map"])
        return (
            ProjectRow(**(contents["project"] | {"path_map": path_map})),
            [ModelRow(**model) for model in contents["models"]],
            [ShardRow(**shard) for shard in contents["shards"]],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{project.manifest} does not say what the project is: {error}") from error
