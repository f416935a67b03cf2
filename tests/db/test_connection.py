"""Errors of SQLite as errors of a project's database, and the check of the whole file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from db import connection as connect
from db import projects
from db.connection import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseDiskFull,
    DatabaseError,
    DatabaseUnusable,
)

PATH = Path("/p/project.db")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, DatabaseBusy),
        (sqlite3.SQLITE_LOCKED, DatabaseBusy),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, DatabaseBusy),
        (sqlite3.SQLITE_FULL, DatabaseDiskFull),
        (sqlite3.SQLITE_CORRUPT, DatabaseDamaged),
        (sqlite3.SQLITE_CORRUPT_INDEX, DatabaseDamaged),
        (sqlite3.SQLITE_NOTADB, DatabaseDamaged),
        (sqlite3.SQLITE_IOERR_WRITE, DatabaseUnusable),
        (sqlite3.SQLITE_CANTOPEN, DatabaseUnusable),
        (sqlite3.SQLITE_READONLY_DBMOVED, DatabaseUnusable),
        (sqlite3.SQLITE_PERM, DatabaseUnusable),
        (sqlite3.SQLITE_CONSTRAINT, type(None)),
        (sqlite3.SQLITE_ERROR, type(None)),
    ],
)
def test_an_error_of_sqlite_is_translated_by_its_code(
    code: int, expected: type[DatabaseError] | type[None]
) -> None:
    error = sqlite3.OperationalError("the disk is full and busy")
    error.sqlite_errorcode = code
    assert type(connect.to_database_error(PATH, error)) is expected


def test_errors_of_others_are_not_translated() -> None:
    assert connect.to_database_error(PATH, ValueError("database is locked")) is None
    with pytest.raises(sqlite3.ProgrammingError), connect.translate_sqlite_errors(PATH):
        raise sqlite3.ProgrammingError("a bug")


def test_a_writer_waits_no_longer_than_it_may(database: Path) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy), connect.writing(database, busy_seconds=0.0):
            pass


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "project.db"
    with pytest.raises(DatabaseUnusable), connect.writing(missing):
        pass
    with pytest.raises(DatabaseUnusable), connect.reading(missing):
        pass
    assert not missing.exists()


def test_nothing_is_written_when_a_transaction_fails(database: Path) -> None:
    with pytest.raises(RuntimeError), connect.writing(database) as connection:
        projects.set_paused(connection, True, None, "user")
        raise RuntimeError
    with connect.reading(database) as connection:
        assert not projects.project(connection).paused


def test_a_reader_cannot_write(database: Path) -> None:
    with pytest.raises(DatabaseUnusable), connect.reading(database) as connection:
        projects.set_paused(connection, True, None, "user")
