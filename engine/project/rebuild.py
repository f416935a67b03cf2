"""Rebuilding a damaged or missing database from the manifest.

Every task is then pending until the next run has counted its caption log. History (attempts,
events, throughput), flags, and which tasks were skipped are lost.
"""

from __future__ import annotations

import time
from pathlib import Path

from db import projects, supervisor_writes
from db.connection import DatabaseDamaged, check_integrity, migrate, schema_of, writing
from db.rows import EventRow
from engine.project import manifest
from engine.project.layout import Project
from engine.project.lock import ProjectInUse, ProjectLock
from engine.utils.errors import BadInput


def rebuild_if_damaged(project: Project) -> None:
    """Rebuild the database unless it is sound. Raises `BadInput`, `DatabaseError`."""
    if damage(project) is None:
        return
    if not project.manifest.is_file():
        raise BadInput(
            f"{damage(project)}, and without {project.manifest.name} nothing rebuilds it"
        )
    try:
        with ProjectLock(project.lock):
            cause = damage(project)  # another process may have rebuilt it in the meantime
            if cause is not None:
                rebuild(project, cause)
    except ProjectInUse as holder:
        message = f"{damage(project)}; a run still uses it ({holder}): stop it first"
        raise BadInput(message) from holder
    except OSError as error:
        raise BadInput(f"{project.database} cannot be rebuilt: {error}") from error


def damage(project: Project) -> str | None:
    """Return what is wrong with the database file, for a message; None if it is sound."""
    if not project.database.exists():
        return f"{project.database} is missing"
    try:
        check_integrity(project.database)
        empty = schema_of(project.database) is None
    except DatabaseDamaged:
        return f"{project.database} is damaged"
    return f"{project.database} is empty" if empty else None


def rebuild(project: Project, cause: str) -> None:
    """Replace the database by a whole new one, or leave the old one where it is.

    The old one is renamed, not deleted. `cause` is what is wrong with it, for the event.
    """
    settings, models, shards = manifest.load(project)
    new = project.database.with_name("project.db.new")
    new.unlink(missing_ok=True)
    migrate(new)
    with writing(new) as connection:
        projects.create(connection, settings, models, shards)
        text = f"{cause}: it was rebuilt from shards and caption logs, its history is lost"
        supervisor_writes.add_events(
            connection, [EventRow(created=time.time(), level="fail", text=text)]
        )
    suffix = time.strftime("damaged-%Y%m%d-%H%M%S")
    # A journal that stays behind would be rolled back into the new file.
    for old in (journal_path(project.database), project.database):
        if old.exists():
            old.rename(old.with_name(f"{old.name}.{suffix}"))
    new.rename(project.database)


def journal_path(database: Path) -> Path:
    return database.with_name(f"{database.name}-journal")
