"""Which images a model on a server may get: this user says so, and never the project.

A project may come from somebody else, with any image root and any path in it. Without a word of the
user's a server gets only images in the image root, and none if that lies outside the project and
somebody else has named it. What the user says is kept among the user's own files: the image root of
a project that they made; and what they allow, for the records, the image root and the servers that
the project had then. Models on this machine are allowed more with it, too: paths that climb out of
the image root.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

from db import projects
from db.connection import reading
from db.rows import ModelRow, ProjectRow, ShardRow
from engine.captioners.registry import FAMILIES
from engine.images.image import lies_in
from engine.project.layout import Project
from engine.utils.errors import BadInput
from engine.utils.user_config import state_folder


def allow(
    project: Project, settings: ProjectRow, models: Iterable[ModelRow], shards: Iterable[ShardRow]
) -> None:
    """Allow it for the project as it is now. Raises `BadInput` if that cannot be kept."""
    path = consent_file(project, settings, models, shards)
    try:
        keep(path, project)
    except OSError as error:
        raise BadInput(f"cannot save your permission in {path.parent}: {error}") from error


def is_allowed(
    project: Project, settings: ProjectRow, models: Iterable[ModelRow], shards: Iterable[ShardRow]
) -> bool:
    """Return True if this user has allowed it for the project as it is now."""
    return consent_file(project, settings, models, shards).is_file()


def allow_in(project: Project) -> None:
    """Do the same as `allow` for a project on disk. Raises `BadInput`, `DatabaseError`."""
    allow(project, *read_facts(project))


def name_root(project: Project, settings: ProjectRow) -> None:
    """Remember that this user has named the image root, by making the project."""
    with suppress(OSError):  # it is then asked for, if a server is ever to get images
        keep(root_file(project, settings), project)


def check_image_root(project: Project) -> None:
    """Raise `BadInput` if a server of the project would get images of a root nobody here named."""
    settings, models, shards = read_facts(project)
    servers = servers_of(models)
    root = project.image_root(settings)
    if (
        not servers
        or lies_in(str(root), str(project.folder))
        or root_file(project, settings).is_file()
        or is_allowed(project, settings, models, shards)
    ):
        return
    raise BadInput(
        f"{servers[0]} would get images from {root}, which is outside the project and which this"
        " user has not permitted: to permit it,"
        f" 'mllmaug-tui run {quote(str(project.folder))} --allow-outside'"
    )


def read_facts(project: Project) -> tuple[ProjectRow, Sequence[ModelRow], Sequence[ShardRow]]:
    """Return what `allow` needs of a project on disk. Raises `DatabaseError`."""
    with reading(project.database) as connection:
        settings, models = projects.project(connection), projects.models(connection)
        return settings, models, projects.shards(connection)


def keep(path: Path, project: Project) -> None:
    """Make the file that says something of a project. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(project.folder) + b"\n")  # for people who look


def consent_file(
    project: Project, settings: ProjectRow, models: Iterable[ModelRow], shards: Iterable[ShardRow]
) -> Path:
    """Return the file that exists if this user has allowed it."""
    digests = [shard.digest for shard in shards]
    facts = [*root_facts(project, settings), settings.path_map, servers_of(models), digests]
    return state_folder() / "outside-images" / digest_of(facts)


def root_file(project: Project, settings: ProjectRow) -> Path:
    """Return the file that exists if this user has named the image root."""
    return state_folder() / "image-roots" / digest_of(root_facts(project, settings))


def root_facts(project: Project, settings: ProjectRow) -> list[str]:
    return [settings.uid, os.path.realpath(project.image_root(settings))]


def servers_of(models: Iterable[ModelRow]) -> list[str]:
    """Return the addresses of the models that are on servers."""
    remote = {family.name for family in FAMILIES.values() if family.remote}
    return sorted(str(model.checkpoint) for model in models if model.family in remote)


def digest_of(facts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
