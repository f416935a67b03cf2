"""Opening a project: afterwards its database is sound and of this version's schema."""

from __future__ import annotations

from pathlib import Path

from db.connection import SCHEMA, DatabaseError, ensure_schema, schema_of
from engine.project.layout import Project
from engine.project.lock import ProjectInUse, ProjectLock
from engine.project.rebuild import rebuild_if_damaged
from engine.utils.errors import BadInput


def open_project(folder: Path) -> Project:
    """Return the project in a folder, with its database repaired and upgraded where needed.

    Raises `BadInput` if the folder holds no project, or one that cannot be used.
    """
    project = Project(folder.absolute())
    if not project.database.is_file() and not project.manifest.is_file():
        raise BadInput(
            f"{folder} holds no project (no project.db):"
            f" make one with 'mllmaug-tui new {folder} CAPTIONS.json'"
        )
    prepare_database(project)
    return project


def prepare_database(project: Project) -> None:
    """Rebuild a damaged database and upgrade one of an older version. Raises `BadInput`."""
    try:
        rebuild_if_damaged(project)
        if schema_of(project.database) != SCHEMA:
            upgrade_database(project)
    except DatabaseError as error:
        raise BadInput(str(error)) from error


def upgrade_database(project: Project) -> None:
    """Migrate the database to this version's schema. Raises `BadInput`, `DatabaseError`."""
    # Under the lock: a run by an older version must not lose its schema while it goes on.
    try:
        with ProjectLock(project.lock):
            ensure_schema(project.database)
    except ProjectInUse as holder:
        raise BadInput(
            f"{project.folder} must be upgraded and a run still uses it ({holder}): stop it first"
        ) from holder
    except OSError as error:
        raise BadInput(f"{project.folder} cannot be upgraded: {error}") from error
