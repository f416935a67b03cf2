"""Opening a project: afterwards its database is sound and of this version's schema."""

from __future__ import annotations

from pathlib import Path

from db.connection import SCHEMA, DatabaseError, ensure_schema, schema_of
from engine.project.layout import Project
from engine.project.lock import ProjectInUse, ProjectLock
from engine.project.plain_folder import refuse_links
from engine.project.rebuild import damage, rebuild_if_damaged
from engine.utils.errors import BadInput


def open_project(folder: Path, readonly: bool = False) -> Project:
    """Return the project in a folder, with its database repaired and upgraded where needed.

    With `readonly` nothing is changed: a project that would need it is refused. Raises `BadInput`
    if the folder holds no project, or one that cannot be used.
    """
    project = Project.at(folder)
    if not project.database.is_file() and not project.manifest.is_file():
        raise BadInput(why_no_project(folder, project))
    refuse_links(project)
    if readonly:
        refuse_unprepared(project)
    else:
        prepare_database(project)
    return project


def why_no_project(folder: Path, project: Project) -> str:
    """Return what is to be done about a folder without database and manifest."""
    if project.shards.is_dir() and project.captions.is_dir():
        return (
            f"{folder} has lost project.db and project.json, but not its captions: put one of the"
            f" two files back; or make a new project with 'mllmaug-tui new NEW {folder}/shards/*'"
            " and the same --image-root, models, settings and --shard-size, move the folder"
            f" {folder}/captions into it, and 'mllmaug-tui run' takes them over"
        )
    return (
        f"{folder} holds no project (no project.db):"
        f" make one with 'mllmaug-tui new {folder} CAPTIONS.json'"
    )


def refuse_unprepared(project: Project) -> None:
    """Raise `BadInput` if the database is damaged or of another version."""
    try:
        found = damage(project)
        if found is not None:
            raise BadInput(f"{found}: without --readonly it is rebuilt")
        if schema_of(project.database) != SCHEMA:
            raise BadInput(f"{project.folder} is of another version: open it without --readonly")
    except DatabaseError as error:
        raise BadInput(str(error)) from error


def prepare_database(project: Project) -> None:
    """Rebuild a damaged database and upgrade one of an older version. Raises `BadInput`."""
    try:
        rebuild_if_damaged(project)
        if schema_of(project.database) != SCHEMA:
            upgrade_database(project)
            rebuild_if_damaged(project)  # no check knows all columns of an older version
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
            f"{project.folder} must be upgraded, but a run still uses it ({holder}): stop it first"
        ) from holder
    except OSError as error:
        raise BadInput(f"{project.folder} cannot be upgraded: {error}") from error
