"""Connections to `project.db`, for reading or for writing, and its schema at this version.

The journal is a rollback journal with `synchronous=EXTRA`: about one transaction a second needs no
WAL, and a moved folder cannot lose a `-wal` file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from db.files import ForeignJournal, NotOneFile, check_files, remove_database

SCHEMA = "0009"
"""The newest migration in `migrations/versions`."""

BUSY_SECONDS = 5.0
"""How long a connection waits for another one's lock before it gives up."""
CACHED_ENGINES = 16
"""Engines of each kind that are kept in memory: an engine remembers the statements that it has
compiled, which takes several times as long as to carry them out. A connection is opened anew each
time."""


class DatabaseError(Exception):
    """Raised if a database cannot be used as it is; the message says what to do."""


class SchemaTooNew(DatabaseError):
    """Raised if a newer version of this program made the database."""


class DatabaseBusy(DatabaseError):
    """Raised if another process holds the database: try again at the next tick."""


class DatabaseDiskFull(DatabaseError):
    """Raised if the disk is full; nothing was written."""


class DatabaseDamaged(DatabaseError):
    """Raised if the file is no sound database any more."""


class DatabaseUnusable(DatabaseError):
    """Raised if the file cannot be opened, read or written: it was moved or is read-only, or its
    disk fails."""


@lru_cache(CACHED_ENGINES)
def writer_engine(path: Path, busy_seconds: float = BUSY_SECONDS, mode: str = "rw") -> Engine:
    """Return an engine whose every transaction begins with BEGIN IMMEDIATE.

    `path` is absolute, since this process may go to another folder. The engine makes no file
    unless `mode` is `rwc`.
    """
    engine = create_engine(
        f"sqlite:///file:{quote(path)}?mode={mode}&uri=true",
        poolclass=NullPool,
        connect_args={"timeout": busy_seconds},
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        # Python's sqlite3 sends no BEGIN before a SELECT, so that two sessions could read, change
        # and write, the later undoing the earlier. SQLAlchemy sends BEGIN IMMEDIATE instead.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def writing(path: Path, busy_seconds: float = BUSY_SECONDS) -> Iterator[Connection]:
    """Open one write transaction, committed at the end of the block. Raises `DatabaseError`.

    Waits up to `busy_seconds` for other connections.
    """
    engine = writer_engine(path.absolute(), busy_seconds)
    with translate_sqlite_errors(path), engine.begin() as connection:
        yield connection


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Raise `DatabaseError` for SQLite errors about the file or its disk; others are bugs, and
    pass through. First the files are looked at (`db.files`)."""
    refuse_unsafe_files(path)
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        translated = to_database_error(path, error.orig if isinstance(error, DBAPIError) else error)
        if translated is None:
            raise
        raise translated from error


def refuse_unsafe_files(path: Path) -> None:
    """Raise `DatabaseError` if SQLite must not open a database or what lies beside it."""
    try:
        check_files(path)
    except ForeignJournal as error:
        raise DatabaseDamaged(f"{path} is damaged: {error}") from error
    except NotOneFile as error:
        raise DatabaseUnusable(str(error)) from error
    except OSError as error:
        raise DatabaseUnusable(f"{path} cannot be used: {error}") from error


def to_database_error(path: Path, error: BaseException | None) -> DatabaseError | None:
    """Return the `DatabaseError` for an error of SQLite, or None if it is about something else."""
    match sqlite_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseBusy("the project's database is busy; try again")
        case sqlite3.SQLITE_FULL:
            return DatabaseDiskFull(f"the disk is full: {path} cannot be written")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DatabaseDamaged(f"{path} is damaged: 'mllmaug-tui run' rebuilds it")
        case (
            sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_PERM
        ):
            return DatabaseUnusable(f"{path} cannot be used: {error}")
    return None


def sqlite_code(error: BaseException | None) -> int | None:
    """Return SQLite's primary result code, or None if the error is not SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@lru_cache(CACHED_ENGINES)
def reader_engine(path: Path) -> Engine:
    """Return an engine for read-only connections. `path` is absolute, as for `writer_engine`."""
    return create_engine(
        f"sqlite:///file:{quote(path)}?mode=ro&uri=true",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Open a read-only connection, each statement its own transaction. Raises `DatabaseError`."""
    with translate_sqlite_errors(path), reader_engine(path.absolute()).connect() as connection:
        try:
            connection.execute(text("SELECT 1 FROM sqlite_master LIMIT 1"))
        except DBAPIError as error:
            if sqlite_code(error.orig) != sqlite3.SQLITE_READONLY:
                raise
            # After a kill a hot journal may lie beside the file, which no read-only connection may
            # roll back: the file is opened for writing once.
            roll_back_hot_journal(path)
        yield connection


def quote(path: Path) -> str:
    """Return the path as it must stand in a SQLite URI inside an SQLAlchemy URL."""
    from urllib.parse import quote as percent

    return percent(percent(str(path)), safe="/%")


def open_existing(path: Path, busy_seconds: float = BUSY_SECONDS) -> closing[sqlite3.Connection]:
    """Return a plain connection, to be used in a `with`, which closes it.

    It makes no file, and may roll a hot journal back.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return closing(sqlite3.connect(uri, uri=True, timeout=busy_seconds))


def roll_back_hot_journal(path: Path) -> None:
    """Undo the unfinished transaction of a killed writer. Opening the file for writing does it."""
    with open_existing(path) as connection:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()


def schema_of(path: Path) -> str | None:
    """Return the migration that a database stands at, or None if it is not a project's.

    Raises `DatabaseError`.
    """
    with translate_sqlite_errors(path), open_existing(path) as connection:
        return read_version(connection)


def read_version(connection: sqlite3.Connection) -> str | None:
    """Return the migration that an open database stands at, or None if it is not a project's."""
    is_project = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(is_project).fetchone() is None:
        return None
    row = connection.execute("SELECT CAST(version_num AS TEXT) FROM alembic_version").fetchone()
    return row[0] if row else None


def ensure_schema(path: Path) -> None:
    """Bring an older project up to this version, after a backup copy.

    Raises `SchemaTooNew` for a project of a newer version, `DatabaseError` for no project.
    """
    schema = schema_of(path)
    if schema == SCHEMA:
        return
    if schema is None:
        raise DatabaseDamaged(f"{path} is not a project's database")
    if schema > SCHEMA:
        raise SchemaTooNew(
            f"{path.parent} was made by a newer mllmaug-tui (schema {schema}, this one knows"
            f" {SCHEMA}): upgrade mllmaug-tui"
        )
    with translate_sqlite_errors(path):
        back_up(path, path.with_name(f"{path.name}.schema-{schema}"))
        migrate(path)


def back_up(path: Path, copy: Path) -> None:
    """Copy a database to the file `copy`, in place of what is there."""
    remove_database(copy)
    with open_existing(path) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def migrate(path: Path, revision: str = "head") -> None:
    """Run the migrations up to `revision`, each in a transaction; also makes a new database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with writer_engine(path.absolute(), mode="rwc").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
