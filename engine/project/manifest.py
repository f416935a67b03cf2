"""The manifest: a small JSON file from which a lost database is rebuilt.

Shards and caption logs hold what was captioned. Image root, models and their settings are not in
them; the manifest, beside the database, keeps a copy of these.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any, TypeVar

import msgspec

from db.rows import ModelRow, ProjectRow, ShardRow
from engine.project.layout import Project
from engine.project.sound_models import check_models
from engine.utils.atomic_write import remove_leftovers, write_beside
from engine.utils.errors import BadInput
from engine.utils.plain_files import read_bytes

NOT_PAUSED: dict[str, Any] = {"paused": False, "pause_reason": None}
NO_TROUBLE: dict[str, Any] = {
    "blocked": None,
    "load_failures": 0,
    "unavailable": None,
    "not_before": 0.0,
}
"""What stands in the manifest for pause and failures, whatever they are: they are not saved."""
CAUSES = ("pause_cause", "unavailable_cause", "blocked_cause", "health", "health_stop")
"""Fields that the manifest leaves out, since versions that know none of them read it too."""

MAX_BYTES = 2**28
"""Bytes of the largest manifest that is read. One of 60,000 tasks has two million."""

SavedRow = TypeVar("SavedRow", ProjectRow, ModelRow, ShardRow)
ManifestContents = tuple[ProjectRow, list[ModelRow], list[ShardRow]]


def save(
    project: Project, settings: ProjectRow, models: list[ModelRow], shards: list[ShardRow]
) -> None:
    """Write the manifest, whole or not at all, unless nothing changed. Raises `OSError`."""
    data = json.dumps(contents_of(settings, models, shards), indent=1).encode()
    with suppress(FileNotFoundError):
        if read_bytes(project.manifest) == data:
            return
    remove_leftovers(project.manifest)
    with write_beside(project.manifest) as part:
        part.write_bytes(data)


def contents_of(
    settings: ProjectRow, models: Sequence[ModelRow], shards: Sequence[ShardRow]
) -> dict[str, Any]:
    """Return the JSON object that the manifest is."""
    return {
        "project": saved(settings, NOT_PAUSED),
        "models": [saved(model, NO_TROUBLE) for model in models],
        "shards": [asdict(shard) for shard in shards],
    }


def saved(row: ProjectRow | ModelRow, fixed: dict[str, Any]) -> dict[str, Any]:
    """Return the row's fields as the manifest holds them, some with the values in `fixed`."""
    kept = {name: value for name, value in asdict(row).items() if name not in CAUSES}
    return kept | fixed


def load(project: Project) -> ManifestContents:
    """Return the project's settings, models and shards, each of the right types.

    Raises `BadInput`.
    """
    try:
        contents = json.loads(read_bytes(project.manifest, MAX_BYTES))
        models = [checked_row(model, ModelRow) for model in contents["models"]]
        check_models(models)
        shards = [checked_row(shard, ShardRow) for shard in contents["shards"]]
        if not models or not shards:
            raise ValueError("it names no models, or no shards")
        return checked_row(contents["project"], ProjectRow), models, shards
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise makes_no_sense(project, str(error)) from error


def is_up_to_date(
    project: Project,
    settings: ProjectRow,
    models: Sequence[ModelRow],
    shards: Sequence[ShardRow],
) -> bool:
    """Return True if the manifest holds what `save` would write. Raises `BadInput`."""
    return contents_of(*load(project)) == contents_of(settings, models, shards)


def checked_row(values: Any, row: type[SavedRow]) -> SavedRow:
    """Return the row that a JSON object of the manifest holds. Raises `ValueError`."""
    unknown = set(values) - {field.name for field in fields(row)}
    if unknown:
        raise ValueError(f"it holds {min(unknown)!r}, which this version does not know")
    return msgspec.convert(values, row)


def makes_no_sense(project: Project, why: str) -> BadInput:
    """Return the error about a manifest from which nothing can be rebuilt."""
    return BadInput(f"{project.manifest} does not say what the project is: {why}")
