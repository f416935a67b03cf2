"""The manifest: a small JSON file from which a lost database is rebuilt.

Shards and caption logs hold what was captioned. Image root, models and their settings are not in
them; the manifest, beside the database, keeps a copy of these.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from db.rows import ModelRow, ProjectRow, ShardRow
from engine.project.layout import Project
from engine.utils.atomic_write import write_beside
from engine.utils.errors import BadInput

NOT_PAUSED: dict[str, Any] = {"paused": False, "pause_reason": None}
NO_TROUBLE: dict[str, Any] = {
    "blocked": None,
    "load_failures": 0,
    "unavailable": None,
    "not_before": 0.0,
}
"""What stands in the manifest for pause and failures, whatever they are: they are not saved."""
CAUSES = ("pause_cause", "unavailable_cause", "blocked_cause")
"""Fields that the manifest leaves out, since versions that know none of them read it too."""

ManifestContents = tuple[ProjectRow, list[ModelRow], list[ShardRow]]


def save(
    project: Project, settings: ProjectRow, models: list[ModelRow], shards: list[ShardRow]
) -> None:
    """Write the manifest, whole or not at all, unless nothing changed. Raises `OSError`."""
    contents = {
        "project": saved(settings, NOT_PAUSED),
        "models": [saved(model, NO_TROUBLE) for model in models],
        "shards": [asdict(shard) for shard in shards],
    }
    data = json.dumps(contents, indent=1).encode()
    if project.manifest.exists() and project.manifest.read_bytes() == data:
        return
    with write_beside(project.manifest) as part:
        part.write_bytes(data)


def saved(row: ProjectRow | ModelRow, fixed: dict[str, Any]) -> dict[str, Any]:
    """Return the row's fields as the manifest holds them, some with the values in `fixed`."""
    kept = {name: value for name, value in asdict(row).items() if name not in CAUSES}
    return kept | fixed


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
