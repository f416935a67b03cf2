"""Rebuilding a damaged or missing database from the manifest.

Every task is then pending until the next run has counted its caption log. History (attempts,
events, throughput), flags, and which tasks were skipped are lost.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from db import projects, soundness, supervisor_writes
from db.connection import SCHEMA, DatabaseDamaged, migrate, reading, schema_of, writing
from db.files import companions, remove_database
from db.rows import EventRow
from engine.project import manifest
from engine.project.caption_log import sync_folder
from engine.project.layout import Project
from engine.project.lock import ProjectInUse, ProjectLock
from engine.project.sound_models import check_models
from engine.utils.errors import BadInput


def rebuild_if_damaged(project: Project) -> None:
    """Rebuild the database unless it is sound. Raises `BadInput`, `DatabaseError`."""
    found = damage(project)
    if found is None:
        return
    if not project.manifest.is_file():
        raise BadInput(f"{found}, and it cannot be rebuilt without {project.manifest.name}")
    manifest.load(project)  # raises before anything is written
    lock_is_new = not project.lock.exists()
    try:
        with ProjectLock(project.lock):
            cause = damage(project)  # another process may have rebuilt it in the meantime
            try:
                if cause is not None:
                    rebuild(project, cause)
            except BadInput:
                if lock_is_new:  # nothing is left in a project that cannot be opened
                    project.lock.unlink()
                raise
    except ProjectInUse as holder:
        message = f"{found}; a run still uses it ({holder}): stop it first"
        raise BadInput(message) from holder
    except OSError as error:
        raise BadInput(f"{project.database} cannot be rebuilt: {error}") from error


def damage(project: Project) -> str | None:
    """Return what is wrong with the database file, for a message; None if it is sound."""
    if not project.database.exists():
        return f"{project.database} is missing"
    try:
        found = soundness.find_damage(project.database)
    except DatabaseDamaged as error:
        return str(error)
    if found is None and schema_of(project.database) == SCHEMA:
        try:
            with reading(project.database) as connection:
                check_models(projects.models(connection))
        except (ValueError, RecursionError) as error:
            found = f"is damaged: {error}"
    return None if found is None else f"{project.database} {found}"


def rebuild(project: Project, cause: str) -> None:
    """Replace the database by a whole new one, or leave the old one where it is.

    The old one is renamed, not deleted. `cause` is what is wrong with it, for the event.
    """
    new = project.database.with_name("project.db.new")
    remove_database(new)
    try:
        fill(new, project, cause)
    except BadInput:
        remove_database(new)
        raise
    suffix = time.strftime("damaged-%Y%m%d-%H%M%S")
    # A journal that stays behind would be rolled back into the new file.
    for old in (*companions(project.database), project.database):
        with suppress(FileNotFoundError):
            old.rename(old.with_name(f"{old.name}.{suffix}"))
    sync_folder(project.folder)  # or a power cut could leave the old journal beside the new file
    new.rename(project.database)


def fill(new: Path, project: Project, cause: str) -> None:
    """Make the database `new` from the manifest. Raises `BadInput`, `DatabaseError`."""
    settings, models, shards = manifest.load(project)
    text = f"{cause}: it was rebuilt from shards and caption logs, its history is lost"
    event = EventRow(created=time.time(), level="fail", text=text)
    migrate(new)
    try:
        with writing(new) as connection:
            projects.create(connection, settings, models, shards)
            supervisor_writes.add_events(connection, [event])
    except (SQLAlchemyError, sqlite3.Error, OverflowError) as error:
        raise manifest.makes_no_sense(project, f"{error}".partition("\n")[0]) from error
    found = soundness.find_damage(new)
    if found is not None:
        raise manifest.makes_no_sense(project, found.removeprefix("is damaged: "))
