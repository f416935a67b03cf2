"""Before a project is used: its database is sound and of this version."""

from __future__ import annotations

from db.connect import SCHEMA, DatabaseError, ensure_schema, schema_of
from engine.errors import BadInput
from engine.lock import Held, ProjectLock
from engine.project import Project
from engine.rebuild import make_good


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
