"""What in a database this program would never have written is damage; all that it writes is not."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from db import connection as connect
from db import exports, flags, notices, ratings, requests, soundness, supervisor_writes
from db.connection import SCHEMA
from db.rows import (
    AttemptRow,
    DeviceRow,
    EventRow,
    ExportRow,
    FailureRow,
    NoticeRow,
    Rating,
    SampleRow,
    SupervisorRow,
    ThroughputRow,
    WorkerRow,
)
from db.soundness import find_damage
from db.values import storable_text
from engine.datasets.inputs.exact_json import LONGEST_RECORD

VERSIONS = Path(connect.__file__).parent / "migrations/versions"
OLD_DATABASE = Path(__file__).parents[1] / "faults/fixtures/schema-0001/project.db"
"""A database that the first version wrote."""


@pytest.fixture(scope="module")
def full_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a row in every table."""
    path = Path(shutil.copy(template, tmp_path_factory.mktemp("full")))
    with connect.writing(path) as connection:
        device = DeviceRow(id="cpu:0", pinned_model_id=1, utilisation=3.5)
        supervisor_writes.set_devices(connection, [device])
        supervisor_writes.save_devices(connection, [device])
        supervisor_writes.save_batch_size(connection, "cpu:0", 1, 8)
        supervisor_writes.save_workers(
            connection,
            [
                WorkerRow(
                    id="w", device="cpu:0", pid=1, created=1.0, boot_id="b", model_id=1, task_id=1
                )
            ],
        )
        supervisor_writes.save_attempts(
            connection,
            [AttemptRow(task_id=1, number=1, worker_id="w", device="cpu:0", started=1.0)],
        )
        supervisor_writes.save_supervisor(
            connection, SupervisorRow(pid=1, created=1.0, boot_id="b", host="h", heartbeat=1.0)
        )
        failures = [FailureRow(1, "missing", 2, ((0, "no such file"), (7, "\ud800 \0")))]
        supervisor_writes.set_failures(connection, 1, failures)
        supervisor_writes.add_throughput(
            connection,
            [ThroughputRow(minute=1, device="cpu:0", model_id=1, images=1, tokens=2)],
        )
        supervisor_writes.add_samples(
            connection,
            [
                SampleRow(
                    created=1.0,
                    model_id=1,
                    shard=0,
                    i=0,
                    image="a.png",
                    original="nul \0",
                    raw="a dog. It",
                    sheared="a dog",
                    start=0,
                    end=5,
                    tokens=3,
                    finish="stop",
                )
            ],
        )
        supervisor_writes.add_events(connection, [EventRow(created=1.0, level="info", text="x")])
        exports.add(
            connection, ExportRow(created=1.0, path="/out", format="json", captions=2, images=1)
        )
        flags.change(connection, [(0, 3)], [])
        rated = {(0, 3, 1, "x"): Rating(False, "a cat, no dog"), (1, 2, 0, ""): Rating(True, "")}
        ratings.change(connection, rated, [])
        notice = NoticeRow(created=1.0, kind="paused", text="paused", cause="user", key="k")
        notices.add(connection, [notice], lambda kind: ["phone"])
        requests.add(connection, "pause")
    return path


@pytest.fixture
def full(full_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(full_template, tmp_path))


def execute(database: Path, *statements: str) -> None:
    """Execute SQL as somebody who wants to do harm can: without any check."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


# What is sound


def test_what_this_program_writes_is_sound(database: Path, full: Path) -> None:
    assert find_damage(database) is None
    assert find_damage(full) is None


def test_the_longest_caption_of_an_input_is_sound(full: Path) -> None:
    """A sample holds the original caption, of any length that `new` takes."""
    assert len(storable_text("\ud800" * 1000)) * LONGEST_RECORD / 1000 < soundness.MAX_RECORD_TEXT
    execute(full, "UPDATE sample SET original = CAST(zeroblob(17 << 20) AS TEXT)")
    assert find_damage(full) is None


@pytest.mark.parametrize(
    "statement", ["ANALYZE", "VACUUM", "PRAGMA journal_mode = WAL", "PRAGMA user_version = 7"]
)
def test_what_a_person_may_do_to_it_is_no_damage(full: Path, statement: str) -> None:
    with closing(sqlite3.connect(full)) as connection:
        connection.execute(statement)
    assert find_damage(full) is None


def test_the_digests_are_those_of_the_migrations(tmp_path: Path) -> None:
    digests = {}
    for version in sorted(path.name[:4] for path in VERSIONS.glob("*.py")):
        connect.migrate(tmp_path / version, version)
        with closing(sqlite3.connect(tmp_path / version)) as connection:
            digests[version] = soundness.schema_digest(connection)
    assert digests == soundness.SCHEMA_DIGESTS
    with closing(sqlite3.connect(OLD_DATABASE)) as connection:
        assert soundness.schema_digest(connection) == digests["0001"]


def test_an_older_database_is_sound(tmp_path: Path) -> None:
    assert find_damage(Path(shutil.copy(OLD_DATABASE, tmp_path))) is None


def test_every_column_is_checked(full: Path) -> None:
    """A column that a migration adds is in a row of `db.rows`, or is named in the module."""
    checked: dict[str, set[str]] = {"alembic_version": {"version_num"}}
    for table, hints in soundness.columns_by_table():
        checked.setdefault(table, {"id"}).update(hints)
    with closing(sqlite3.connect(full)) as connection:
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in connection.execute(names).fetchall():
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert columns <= checked[table]


def test_a_writer_is_no_damage(full: Path) -> None:
    with closing(sqlite3.connect(full)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert find_damage(full) is None


# Pages and versions


def test_a_damaged_page_is_found(full: Path) -> None:
    contents = bytearray(full.read_bytes())
    contents[4096:8192] = b"\xff" * 4096
    full.write_bytes(contents)
    assert find_damage(full) == "is damaged"


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM alembic_version", "is empty"),
        ("UPDATE alembic_version SET version_num = 'zzzz'", "it is of no version"),
        ("UPDATE alembic_version SET version_num = x'ff'", "is damaged"),
        ("UPDATE alembic_version SET version_num = '0000'", "its tables are not those of"),
        ("UPDATE alembic_version SET version_num = '0001'", "its tables are not those of"),
    ],
)
def test_a_version_that_makes_no_sense(full: Path, statement: str, found: str) -> None:
    execute(full, statement)
    assert found in (find_damage(full) or "")


def test_a_newer_version_is_left_to_others(full: Path) -> None:
    execute(full, "UPDATE alembic_version SET version_num = '9999'")
    assert find_damage(full) is None


# Schemas


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (
            ["CREATE TRIGGER t AFTER UPDATE ON task BEGIN DELETE FROM model; END"],
            "it has the trigger 't'",
        ),
        (["CREATE VIEW v AS SELECT 1"], "it has the view 'v'"),
        (
            ["ALTER TABLE event RENAME TO e", "CREATE VIEW event AS SELECT * FROM e"],
            "it has the view 'event'",
        ),
        (
            [
                "DROP TABLE alembic_version",
                "CREATE VIEW alembic_version AS WITH RECURSIVE n(version_num) AS (SELECT 1 UNION"
                " ALL SELECT version_num + 1 FROM n) SELECT version_num FROM n WHERE 0",
            ],
            "it has the view 'alembic_version'",
        ),
        (["CREATE VIRTUAL TABLE f USING fts5(x)"], "it has the table 'f'"),
        (["CREATE TABLE more (x)"], "its tables are not those of schema"),
        (["DROP TABLE flag"], "its tables are not those of schema"),
        (["DROP INDEX task_by_state"], "its tables are not those of schema"),
        (["CREATE UNIQUE INDEX u ON event (text)"], "its tables are not those of schema"),
        (["ALTER TABLE event ADD COLUMN more INTEGER"], "its tables are not those of schema"),
        (
            ["ALTER TABLE event ADD COLUMN more AS (upper(text))"],
            "its tables are not those of schema",
        ),
        (
            [
                "PRAGMA writable_schema = ON",
                "UPDATE sqlite_master SET sql = replace(sql, 'count > 0', 'count > 5')",
            ],
            "its tables are not those of schema",
        ),
        (
            [
                "PRAGMA writable_schema = ON",
                "UPDATE sqlite_master SET sql = replace(sql, 'host VARCHAR', 'host VARCHAR COLLATE"
                " NOCASE')",
            ],
            "its tables are not those of schema",
        ),
        (
            ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = 'CREATE TABLE'"],
            "is damaged",
        ),
    ],
)
def test_a_schema_that_is_not_ours(full: Path, statements: list[str], found: str) -> None:
    execute(full, *statements)
    assert found in (find_damage(full) or "")


# Values


LONG = 2**16
"""Bound of a text in these tests, in bytes: the real one would take minutes."""
TOO_LONG = f"CAST(zeroblob({LONG + 1}) AS TEXT)"
NOT_UTF8 = "CAST(x'c328' AS TEXT)"


def nonsense_for(column: str, hint: Any) -> Iterator[str]:
    """Yield SQL values that a column of this type must not hold."""
    inner = next((each for each in get_args(hint) if each is not type(None)), hint)
    hint = hint if get_origin(hint) is Literal or type(None) not in get_args(hint) else inner
    yield "x'00ff'"
    if hint in (int, float, bool) or get_origin(hint) is Literal:
        yield "'nonsense'"
        yield "''"
    if hint is int:
        yield from ("1.5", "9.9e30")
        if column != "log_mtime_ns":
            yield "9223372036854775807"
        if column not in ("log_mtime_ns", "priority"):
            yield "-1"
    elif hint is float:
        yield from ("-1.0", "9e999", "-9e999", "1e300")
    elif hint is bool:
        yield "2"
    else:
        yield NOT_UTF8
        if get_origin(hint) is not Literal:
            yield TOO_LONG


CELLS = [
    (table, column, value)
    for table, columns in soundness.columns_by_table()
    for column, hint in columns.items()
    if (table, column) not in soundness.UNCHECKED
    for value in nonsense_for(column, str if (table, column) in soundness.TEXTS_OF_OLD else hint)
]


def test_no_cell_holds_what_its_column_never_holds(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundness, "MAX_TEXT", LONG)
    monkeypatch.setattr(soundness, "MAX_RECORD_TEXT", LONG)
    unnoticed = []
    pristine = full.read_bytes()
    for table, column, value in CELLS:
        full.write_bytes(pristine)
        try:
            first = f'(SELECT min(rowid) FROM "{table}")'
            execute(full, f'UPDATE "{table}" SET "{column}" = {value} WHERE rowid = {first}')
        except sqlite3.IntegrityError:  # SQLite itself keeps other types out of primary keys
            assert column in ("id", "number"), (table, column, value)
            continue
        found = find_damage(full)
        if found is None or "is damaged" not in found:
            unnoticed.append((table, column, value[:30]))
    assert not unnoticed
    assert len(CELLS) > 400


@pytest.mark.parametrize("column", soundness.JSON_CHECKS, ids=".".join)
@pytest.mark.parametrize(
    "value",
    ["", "{", "null", "7", '"text"', "[1]", "[[1]]", "[[1, 2, 3]]", "[[[], {}]]", "[" * 50_000],
)
def test_json_of_another_form(full: Path, column: tuple[str, str], value: str) -> None:
    with closing(sqlite3.connect(full)) as connection:
        connection.execute(f"UPDATE {column[0]} SET {column[1]} = ?", (value,))
        connection.commit()
    assert f"an invalid value (text) in {column[1]}" in (find_damage(full) or "")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM project",
        "DELETE FROM task",
        "DELETE FROM task WHERE id = 1",
        "DELETE FROM model",
        "DELETE FROM model WHERE id = 2",
        "DELETE FROM shard",
        "DELETE FROM shard WHERE number = 1",
        "UPDATE shard SET number = 7 WHERE number = 2",
        "UPDATE shard SET first = first + 1 WHERE number = 2",
        "UPDATE shard SET count = count + 1 WHERE number = 2",
        "UPDATE task SET count = count + 1 WHERE id = 1",
        "UPDATE task SET shard = 77 WHERE id = 1",
        "UPDATE task SET model_id = 77 WHERE id = 1",
        "UPDATE project SET records = records + 1",
        "UPDATE project SET image_root = 'a' || char(0) || 'b'",
        "UPDATE attempt SET task_id = 77",
        "UPDATE device SET pinned_model_id = 77",
        "UPDATE worker SET model_id = 77",
        "UPDATE worker SET task_id = 77",
        "UPDATE throughput SET model_id = 77",
        "UPDATE sample SET model_id = 77",
        "UPDATE failure SET task_id = 77",
        "UPDATE batch_size SET model_id = 77",
        "UPDATE flag SET shard = 77",
        "UPDATE flag SET i = 10",
        "UPDATE rating SET shard = 77",
        "UPDATE rating SET i = 10 WHERE i = 3",
        "UPDATE rating SET model_id = 77 WHERE i = 3",
        "UPDATE task SET captioned = 9, failed = 9 WHERE id = 1",
        "UPDATE task SET state = 'done' WHERE id = 1",
    ],
)
def test_rows_that_do_not_fit_together(full: Path, statement: str) -> None:
    execute(full, statement)
    assert "is damaged" in (find_damage(full) or "")


def test_requests_may_hold_anything(full: Path) -> None:
    execute(full, f"UPDATE request SET kind = {NOT_UTF8}, payload = x'00', note = 7, result = ''")
    assert find_damage(full) is None


def test_texts_that_are_too_long_together_are_read_one_by_one(full: Path) -> None:
    with closing(sqlite3.connect(full)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 5000)
        for number in range(9):
            text = f"{number}" * 900
            connection.execute("INSERT INTO event SELECT NULL, 1.0, 'info', ?, '', '', 0", (text,))
        assert soundness.holds_utf8(connection, "event", ["text"])
        connection.execute(f"UPDATE event SET text = text || {NOT_UTF8} WHERE id = 7")
        assert not soundness.holds_utf8(connection, "event", ["text"])


def test_a_missing_file_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(connect.DatabaseUnusable):
        find_damage(tmp_path / "project.db")


def test_the_newest_schema_has_a_digest() -> None:
    assert SCHEMA in soundness.SCHEMA_DIGESTS
