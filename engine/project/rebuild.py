"""A database that is damaged or gone, made again from manifest, shards and caption logs.

Only history is lost: attempts, events, throughput. The next run counts what the logs hold.
"""

from __future__ import annotations

import time
from pathlib import Path

from db import projects, supervisor_writes
from db.connection import Damaged, check, migrate, schema_of, writing
from db.rows import EventRow
from engine.project import manifest
from engine.project.layout import Project
from engine.project.lock import Held, ProjectLock
from engine.utils.errors import BadInput


def make_good(project: Project) -> None:
    """Rebuilds the database if there is no sound one. Raises `BadInput`, `DatabaseError`."""
    if damage(project) is None:
        return
    if not project.manifest.is_file():
        raise BadInput(
            f"{damage(project)}, and without {project.manifest.name} nothing rebuilds it"
        )
    try:
        with ProjectLock(project.lock):
            found = damage(project)  # someone else may have been faster
            if found is not None:
                rebuild(project, found)
    except Held as held:
        raise BadInput(f"{damage(project)}; a run still uses it ({held}): stop it first") from held
    except OSError as error:
        raise BadInput(f"{project.database} cannot be rebuilt: {error}") from error


def damage(project: Project) -> str | None:
    """In words."""
    if not project.database.exists():
        return f"{project.database} is missing"
    try:
        check(project.database)
        empty = schema_of(project.database) is None
    except Damaged:
        return f"{project.database} is damaged"
    return f"{project.database} is empty" if empty else None


def rebuild(project: Project, found: str) -> None:
    """The new database takes its place whole, or the old one stays."""
    settings, models, shards = manifest.load(project)
    new = project.database.with_name("project.db.new")
    new.unlink(missing_ok=True)
    migrate(new)
    with writing(new) as connection:
        projects.create(connection, settings, models, shards)
        text = f"{found}: it was rebuilt from shards and caption logs, its history is lost"
        supervisor_writes.add_events(connection, [EventRow(time.time(), "fail", text)])
    kept = time.strftime("damaged-%Y%m%d-%H%M%S")
    # A journal that stays behind would be rolled back into the new file.
    for old in (journal(project.database), project.database):
        if old.exists():
            old.rename(old.with_name(f"{old.name}.{kept}"))
    new.rename(project.database)


def journal(database: Path) -> Path:
    return database.with_name(f"{database.name}-journal")
