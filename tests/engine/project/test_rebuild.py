"""A database that is rebuilt from the manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import connection as connect
from db import progress, projects
from engine.project import manifest
from engine.project.layout import Project
from engine.project.rebuild import rebuild_if_damaged
from engine.utils.errors import BadInput
from tests.engine.project.test_manifest import MODEL, SETTINGS, SHARD


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project that has lost its database."""
    project = Project(tmp_path)
    manifest.save(project, SETTINGS, [MODEL], [SHARD])
    return project


def test_a_missing_database_is_rebuilt(project: Project) -> None:
    rebuild_if_damaged(project)
    assert connect.schema_of(project.database) == connect.SCHEMA
    with connect.reading(project.database) as connection:
        assert projects.project(connection) == SETTINGS
        assert projects.models(connection) == (MODEL,)
        assert projects.shards(connection) == (SHARD,)
        (task,) = projects.tasks(connection)
        (event,) = progress.events(connection, 9)
    assert (task.state, task.left, task.error_cause) == ("pending", 2, None)
    assert "is missing: it was rebuilt" in event.text


def test_a_damaged_database_is_kept_aside(project: Project) -> None:
    project.database.write_bytes(b"no database at all" * 100)
    rebuild_if_damaged(project)
    (kept,) = project.folder.glob("project.db.damaged-*")
    assert kept.read_bytes() == b"no database at all" * 100
    with connect.reading(project.database) as connection:
        assert projects.project(connection) == SETTINGS


def test_a_sound_database_is_left_alone(project: Project) -> None:
    rebuild_if_damaged(project)
    before = project.database.read_bytes()
    rebuild_if_damaged(project)
    assert project.database.read_bytes() == before


def test_without_a_manifest_nothing_is_guessed(project: Project) -> None:
    project.manifest.unlink()
    with pytest.raises(BadInput, match="nothing rebuilds it"):
        rebuild_if_damaged(project)
