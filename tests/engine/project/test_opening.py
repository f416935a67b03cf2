"""Opening a project: a database that is damaged, empty, missing, or of an older version."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from db import progress, projects
from db.connection import SCHEMA, reading, schema_of, writing
from engine.project import manifest
from engine.project.layout import Project
from engine.project.lock import ProjectLock
from engine.project.opening import open_project
from engine.project.rebuild import damage
from engine.utils.errors import BadInput
from tests.support.canned_projects import MAKERS, copy_canned_project
from tests.support.small_project import SmallProject

OLD_PROJECT = Path(__file__).parents[2] / "faults/fixtures/schema-0001"
"""A project of the first version."""


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
    with pytest.raises(
        BadInput, match=r"is damaged, and it cannot be rebuilt without project.json"
    ):
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
    shutil.copy(OLD_PROJECT / "project.db", project.database)
    with (
        ProjectLock(project.lock),
        pytest.raises(BadInput, match="must be upgraded, but a run still uses it"),
    ):
        open_project(project.folder)
    assert schema_of(project.database) == "0001"


def test_a_newer_database_is_refused(project: Project) -> None:
    set_schema(project.database, "9999")
    with pytest.raises(BadInput, match="newer"):
        open_project(project.folder)
    assert schema_of(project.database) == "9999" != SCHEMA


def put(*keys: str | int, value: object) -> Callable[[Any], None]:
    """Return a change that puts a value at a place of the manifest."""

    def change(contents: Any) -> None:
        for key in keys[:-1]:
            contents = contents[key]
        contents[keys[-1]] = value

    return change


MANIFESTS: dict[str, Callable[[Any], object]] = {
    "no project": lambda contents: contents.pop("project"),
    "no models": put("models", value=[]),
    "no shards": put("shards", value=[]),
    "models of another type": put("models", value={"name": 1}),
    "a model of another type": put("models", 0, value="dry-run"),
    "an unknown field": put("project", "version", value=2),
    "a missing field": lambda contents: contents["models"][0].pop("name"),
    "text for a number": put("project", "records", value="12"),
    "a huge number": put("project", "records", value=10**30),
    "a negative number": put("shards", 0, "bytes", value=-1),
    "a fraction": put("shards", 0, "count", value=4.5),
    "records beyond memory": put("shards", 0, "count", value=10**12),
    "an infinite time": put("project", "created", value=float("inf")),
    "path map of another form": put("project", "path_map", value=[["a"]]),
    "an unknown mode": put("project", "shear_mode", value="none"),
    "names twice": put("models", 1, "name", value="dry-run"),
    "ids twice": put("models", 1, "id", value=1),
    "numbers twice": put("shards", 1, "number", value=0),
    "a gap": put("shards", 2, "number", value=7),
    "another beginning": put("shards", 1, "first", value=5),
    "another sum": put("project", "records", value=13),
    "a name that leads out": put("models", 0, "name", value="../../outside"),
    "a hash that leads out": put("models", 0, "settings_hash", value="/etc"),
    "settings of another type": put("models", 0, "settings", value=[]),
    "invalid settings": put("models", 0, "settings", "batch", value=-3),
    "a text beyond bounds": put("project", "uid", value="x" * 20_000_000),
}
"""What project.json may hold that this program never wrote."""


def entries(project: Project) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in project.folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_makes_no_sense_is_told_and_nothing_is_written(
    project: Project, name: str
) -> None:
    contents = json.loads(project.manifest.read_bytes())
    MANIFESTS[name](contents)
    project.manifest.write_text(json.dumps(contents))
    overwrite(project.database)
    before = entries(project)
    with pytest.raises(
        BadInput, match=r"project\.json does not say what the project is: ."
    ) as told:
        open_project(project.folder)
    assert len(str(told.value).splitlines()) == 1
    assert entries(project) == before


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{", "", "null", "[]", "7", "\udc80", '{"project": 1}']
)
def test_a_manifest_that_is_no_manifest(project: Project, text: str) -> None:
    project.manifest.write_bytes(text.encode("utf-8", "surrogateescape"))
    overwrite(project.database)
    before = entries(project)
    with pytest.raises(BadInput, match="does not say what the project is"):
        open_project(project.folder)
    assert entries(project) == before


def test_a_tracker_whose_models_make_no_sense_is_rebuilt(project: Project) -> None:
    with writing(project.database) as connection:
        connection.exec_driver_sql("UPDATE model SET name = '../../x' WHERE id = 1")
    assert "no model can have the name '../../x'" in (damage(project) or "")
    open_project(project.folder)
    with reading(project.database) as connection:
        assert projects.models(connection)[0].name == "dry-run"


def test_an_older_tracker_of_nonsense_is_rebuilt(project: Project) -> None:
    shutil.copy(OLD_PROJECT / "project.db", project.database)
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute("UPDATE model SET settings_hash = '../x'")
        connection.execute("INSERT INTO request VALUES (9, 1.0, 'x', 7, 'new', x'ff', NULL)")
        connection.commit()
    open_project(project.folder)
    assert damage(project) is None
    assert len(list(project.folder.glob("project.db.damaged-*"))) == 1


def test_a_link_to_the_project_is_followed_once(project: Project, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project.folder)
    assert open_project(tmp_path / "link") == project


@pytest.mark.parametrize("name", MAKERS)
def test_what_this_program_wrote_is_no_damage(tmp_path: Path, name: str) -> None:
    project = copy_canned_project(tmp_path / "project", name)
    assert damage(project) is None
