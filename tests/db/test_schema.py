"""The schema of `project.db`, its invariants, and the connections to it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, text
from sqlalchemy.exc import IntegrityError

from db import connection as connect
from db import progress, projects, supervisor_writes, tables
from db.rows import AttemptRow, EventRow
from tests.db.conftest import MODELS, PROJECT, SHARDS


def test_the_migrations_make_the_tables(database: Path) -> None:
    with connect.reading(database) as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.Table.metadata) == []
        made = {
            row.name: row.sql
            for row in connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE sql LIKE '%CHECK%'")
            )
        }
    for table in tables.Table.metadata.tables.values():
        for check in table.constraints:
            if isinstance(check, CheckConstraint):
                assert f"CONSTRAINT {check.name} CHECK ({check.sqltext})" in made[table.name]


def test_the_newest_migration_is_the_known_schema(database: Path) -> None:
    assert connect.schema_of(database) == connect.SCHEMA
    versions = (Path(connect.__file__).parent / "migrations/versions").glob("*.py")
    assert max(path.name[:4] for path in versions) == connect.SCHEMA


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE task SET state = 'lost'",
        "UPDATE task SET captioned = 11, left = 0",
        "UPDATE task SET captioned = -1",
        "UPDATE task SET state = 'done', left = 0",
        "UPDATE task SET state = 'done', digest = 'x'",
        "UPDATE task SET error_cause = 'killed by signal 9'",
        "UPDATE project SET pause_cause = 'the disk is full'",
        "UPDATE model SET blocked_cause = 'exit code 3'",
        "UPDATE model SET unavailable_cause = 'HTTP 503'",
        "INSERT INTO task (shard, model_id, count, state, priority, attempt, strikes, not_before,"
        " captioned, failed, empty, left, redo, redo_from, rows, log_bytes, log_mtime_ns, seconds,"
        " updated) SELECT shard, model_id, count, state, priority, attempt, strikes, not_before,"
        " captioned, failed, empty, left, redo, redo_from, rows, log_bytes, log_mtime_ns, seconds,"
        " updated FROM task LIMIT 1",
        "INSERT INTO project SELECT 2, uid, created, records, image_root, path_map, allow_outside,"
        " witness, shear_mode, shear_max_words, paused, pause_reason, pause_cause FROM project",
    ],
)
def test_the_database_refuses_what_must_not_be(database: Path, change: str) -> None:
    with pytest.raises(IntegrityError), connect.writing(database) as connection:
        connection.execute(text(change))


def attempt(**values: Any) -> AttemptRow:
    """Return an open attempt."""
    return AttemptRow(started=0.0, **values)


def test_one_open_attempt_per_task_and_per_worker(database: Path) -> None:
    first = attempt(task_id=1, number=1, worker_id="w1", device="cpu:0")
    with connect.writing(database) as connection:
        supervisor_writes.save_attempts(connection, [first])
    for second in (
        attempt(task_id=1, number=2, worker_id="w2", device="cpu:1"),
        attempt(task_id=2, number=1, worker_id="w1", device="cpu:0"),
    ):
        with pytest.raises(IntegrityError), connect.writing(database) as connection:
            supervisor_writes.save_attempts(connection, [second])
    ended = replace(first, ended=1.0, outcome="done")
    following = attempt(task_id=2, number=1, worker_id="w1", device="cpu:0")
    with connect.writing(database) as connection:
        supervisor_writes.save_attempts(connection, [following, ended])


def test_a_task_that_someone_else_changed_is_a_conflict(database: Path) -> None:
    with connect.reading(database) as connection:
        task = projects.tasks(connection)[0]
    now = replace(task, state="running")
    with connect.writing(database) as connection:
        supervisor_writes.save_tasks(connection, [(task, now)])
    with pytest.raises(supervisor_writes.TaskConflict), connect.writing(database) as connection:
        supervisor_writes.save_tasks(connection, [(task, now)])


def test_two_writers_do_not_undo_each_other(database: Path) -> None:
    with connect.writing(database) as connection:
        connection.execute(text("SELECT attempt FROM task")).all()
        with (
            closing(sqlite3.connect(database, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("UPDATE task SET attempt = 1")


HOT_JOURNAL = """
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA cache_size = 2")
c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE task SET attempt = 77")
for i in range(5000):
    c.execute("INSERT INTO event (created, level, text) VALUES (0, 'info', ?)", ("x" * 400,))
os._exit(9)
"""


def test_a_reader_gets_past_a_hot_journal(database: Path) -> None:
    subprocess.run([sys.executable, "-c", HOT_JOURNAL, str(database)], check=False)
    journal = database.with_name("project.db-journal")
    assert journal.stat().st_size > 0
    with connect.reading(database) as connection:
        assert {task.attempt for task in projects.tasks(connection)} == {0}
    with connect.writing(database) as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


def test_a_newer_project_is_refused_and_a_foreign_file_too(database: Path, tmp_path: Path) -> None:
    with connect.writing(database) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(connect.SchemaTooNew, match="newer mllmaug-tui"):
        connect.ensure_schema(database)
    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"this is no database at all, but long enough to be looked at" * 20)
    with pytest.raises(connect.DatabaseError, match="damaged"):
        connect.ensure_schema(foreign)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(connect.DatabaseError, match="not a project"):
        connect.ensure_schema(tmp_path / "other.db")


def test_a_path_with_odd_characters_opens(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c%20 d&e"
    folder.mkdir()
    connect.migrate(folder / "project.db")
    with connect.reading(folder / "project.db") as connection:
        assert connection.execute(text("SELECT count(*) FROM task")).scalar_one() == 0


def test_text_that_is_not_unicode_is_stored_escaped(database: Path) -> None:
    event = EventRow(created=0.0, level="info", text="name \udcff here")
    with connect.writing(database) as connection:
        supervisor_writes.add_events(connection, [event])
    with connect.reading(database) as connection:
        assert progress.events(connection, 1)[0].text == "name \\udcff here"


def test_a_relative_path_is_read_where_the_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that was read before from another folder is not mixed up with it."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        connect.migrate(Path("project.db"))
        with connect.writing(Path("project.db")) as connection:
            projects.create(
                connection,
                replace(PROJECT, uid=name),
                MODELS,
                SHARDS,
            )
        with connect.reading(Path("project.db")) as connection:
            assert projects.project(connection).uid == name
    monkeypatch.chdir(tmp_path / "one")
    with connect.reading(Path("project.db")) as connection:
        assert projects.project(connection).uid == "one"
