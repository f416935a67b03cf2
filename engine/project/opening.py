"""Before a project is used: its database is sound and of this version."""

from __future__ import annotations

from pathlib import Path

from db.connection import SCHEMA, DatabaseError, ensure_schema, schema_of
from engine.project.layout import Project
from engine.project.lock import Held, ProjectLock
from engine.project.rebuild import make_good
from engine.utils.errors import BadInput


def make_ready(project: Project) -> None:
    """Raises `BadInput`."""
    try:
        make_good(project)
        if schema_of(project.database) != SCHEMA:
            upgrade(project)
    except DatabaseError as error:
        raise BadInput(str(error)) from error


def upgrade(project: Project) -> None:
    """Not under the feet of a run by an older version."""
    try:
        with ProjectLock(project.lock):
            ensure_schema(project.database)
    except Held as held:
        raise BadInput(
            f"{project.folder} must be upgraded and a run still uses it ({held}): stop it first"
        ) from held
    except OSError as error:
        raise BadInput(f"{project.folder} cannot be upgraded: {error}") from error


def open_project(folder: Path) -> Project:
    """Rebuilds a damaged database and brings an older one up to this version.

    Raises `BadInput` if the folder holds no project, or one that cannot be used.
    """
    project = Project(folder.absolute())
    if not project.database.is_file() and not project.manifest.is_file():
        raise BadInput(
            f"{folder} holds no project (no project.db):"
            f" make one with 'mllmaug-tui new {folder} CAPTIONS.json'"
        )
    make_ready(project)
    return project
