"""Opening a project: a database that is damaged, empty, missing, or of an older version."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from db import progress, projects
from db.connection import SCHEMA, reading, schema_of
from engine.project import manifest
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.project.opening import open_project
from engine.project.rebuild import damage
from engine.utils.errors import BadInput
from tests.support.small_project import SmallProject


@pytest.fixture
def project(small: SmallProject) -> Project:
    """A project with a manifest."""
    small.change_tasks({1: {"state": "skipped"}})
    small.save()
    state = small.state
    manifest.save(
        small.project, state.settings, list(state.models.values()), list(state.shards.values())
    )
    return small.project


def overwrite(database: Path) -> None:
    database.write_bytes(b"this is no database" * 1000)


def cut(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (overwrite, "is damaged"),
        (cut, "is damaged"),
        (lambda database: database.write_bytes(b""), "is empty"),
        (lambda database: database.unlink(), "is missing"),
    ],
)
def test_a_database_is_rebuilt_from_the_manifest(
    project: Project, change: Callable[[Path], object], said: str
) -> None:
    before = manifest.load(project)
    change(project.database)
    damaged = project.database.read_bytes() if project.database.exists() else None
    assert damage(project) == f"{project.database} {said}"
    assert open_project(project.folder) == project
    assert damage(project) is None
    with reading(project.database) as connection:
        assert projects.project(connection) == before[0]
        assert list(projects.models(connection)) == before[1]
        assert list(projects.shards(connection)) == before[2]
        assert {task.state for task in projects.tasks(connection)} == {"pending"}
        events = progress.events(connection, 5)
    assert "it was rebuilt from shards and caption logs, its history is lost" in events[0].text
    kept = list(project.folder.glob("project.db.damaged-*"))
    assert [path.read_bytes() for path in kept] == ([] if damaged is None else [damaged])


def test_a_journal_is_not_rolled_back_into_the_new_database(project: Project) -> None:
    project.database.unlink()
    journal = project.folder / "project.db-journal"
    journal.write_bytes(b"rest")
    open_project(project.folder)
    assert not journal.exists()
    assert len(list(project.folder.glob("project.db-journal.damaged-*"))) == 1


def test_a_sound_project_is_left_alone(project: Project) -> None:
    before = project.database.read_bytes()
    open_project(project.folder)
    assert project.database.read_bytes() == before
    assert not project.lock.exists()


def test_without_a_manifest_nothing_rebuilds_it(project: Project) -> None:
    overwrite(project.database)
    project.manifest.unlink()
    with pytest.raises(BadInput, match=r"is damaged, and without project.json nothing rebuilds it"):
        open_project(project.folder)


def test_a_damaged_manifest_leaves_the_database_where_it_is(project: Project) -> None:
    overwrite(project.database)
    project.manifest.write_text('{"project": {}}')
    with pytest.raises(BadInput, match="does not say what the project is"):
        open_project(project.folder)
    assert project.database.read_bytes().startswith(b"this is no database")


def test_a_run_that_still_uses_it_must_end_first(project: Project) -> None:
    overwrite(project.database)
    with (
        ProjectLock(project.lock),
        pytest.raises(BadInput, match=r"a run still uses it \(process \d+ on .*\): stop it first"),
    ):
        open_project(project.folder)


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no project \(no project.db\): make one with"):
        open_project(tmp_path)


def set_schema(database: Path, schema: str) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("update alembic_version set version_num = ?", (schema,))
    connection.close()


def test_an_older_database_is_not_upgraded_under_a_run(project: Project) -> None:
    set_schema(project.database, "0001")
    with (
        ProjectLock(project.lock),
        pytest.raises(BadInput, match="must be upgraded and a run still uses it"),
    ):
        open_project(project.folder)
    assert schema_of(project.database) == "0001"


def test_a_newer_database_is_refused(project: Project) -> None:
    set_schema(project.database, "9999")
    with pytest.raises(BadInput, match="newer"):
        open_project(project.folder)
    assert schema_of(project.database) == "9999" != SCHEMA
