"""Opening `project.db`, for reading or for writing, at the schema this version knows.

Rollback journal with `synchronous=EXTRA`: about one transaction a second needs no WAL, and a
moved folder cannot lose a `-wal` file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

SCHEMA = "0003"
"""The newest migration in `migrations/versions`."""

BUSY_SECONDS = 5.0
ENGINES = 16
"""Kept, since an engine remembers the statements that it has compiled: that takes several times as
long as to carry them out. A connection is opened anew each time."""


class DatabaseError(Exception):
    """A database that cannot be used as it is; the message says what to do."""


class SchemaTooNew(DatabaseError):
    pass


class Busy(DatabaseError):
    """Another process holds the database: try again at the next tick."""


class Full(DatabaseError):
    """The disk is full; nothing was written."""


class Damaged(DatabaseError):
    """The file is no sound database any more."""


class Unusable(DatabaseError):
    """It cannot be opened, read or written: moved, read-only, a disk that fails."""


@lru_cache(ENGINES)
def writer_engine(path: Path, busy_seconds: float = BUSY_SECONDS, mode: str = "rw") -> Engine:
    """An engine whose every transaction is BEGIN IMMEDIATE; it makes no file unless told `rwc`.

    Python's sqlite3 sends no BEGIN before a SELECT, so that two sessions could read, change
    and write, the later undoing the earlier.
    """
    engine = create_engine(
        f"sqlite:///file:{quote(path)}?mode={mode}&uri=true",
        poolclass=NullPool,
        connect_args={"timeout": busy_seconds},
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def writing(path: Path, busy_seconds: float = BUSY_SECONDS) -> Iterator[Connection]:
    """One write transaction, committed at the end of the block. Raises `DatabaseError`."""
    engine = writer_engine(path.absolute(), busy_seconds)
    with translate_sqlite_errors(path), engine.begin() as connection:
        yield connection


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """What SQLite refuses because of the file or its disk, in words; the rest is a bug."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        known = in_words(path, error.orig if isinstance(error, DBAPIError) else error)
        if known is None:
            raise
        raise known from error


def in_words(path: Path, error: BaseException | None) -> DatabaseError | None:
    match sqlite_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Busy("the project's database is busy; try again")
        case sqlite3.SQLITE_FULL:
            return Full(f"the disk is full: {path} cannot be written")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Damaged(f"{path} is damaged: 'mllmaug-tui run' rebuilds it")
        case (
            sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_PERM
        ):
            return Unusable(f"{path} cannot be used: {error}")
    return None


def sqlite_code(error: BaseException | None) -> int | None:
    """SQLite's primary result code."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@lru_cache(ENGINES)
def reader_engine(path: Path) -> Engine:
    """`path` is absolute, as for `writer_engine`: this process may go to another folder."""
    return create_engine(
        f"sqlite:///file:{quote(path)}?mode=ro&uri=true",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A short read-only look, each statement its own transaction. Raises `DatabaseError`.

    After a kill a hot journal may lie beside the file, which no read-only connection may roll
    back: then the file is opened for writing once.
    """
    with translate_sqlite_errors(path), reader_engine(path.absolute()).connect() as connection:
        try:
            connection.execute(text("SELECT 1 FROM sqlite_master LIMIT 1"))
        except DBAPIError as error:
            if sqlite_code(error.orig) != sqlite3.SQLITE_READONLY:
                raise
            roll_back_hot_journal(path)
        yield connection


def quote(path: Path) -> str:
    """The path as it must stand in a SQLite URI inside an SQLAlchemy URL."""
    from urllib.parse import quote as percent

    return percent(percent(str(path)), safe="/%")


def existing(path: Path, busy_seconds: float = BUSY_SECONDS) -> closing[sqlite3.Connection]:
    """A plain connection, to be closed, that makes no file; it may roll a hot journal back."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return closing(sqlite3.connect(uri, uri=True, timeout=busy_seconds))


def roll_back_hot_journal(path: Path) -> None:
    with existing(path) as connection:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()


def schema_of(path: Path) -> str | None:
    """The migration a database stands at, None for one that is no project's.

    Raises `DatabaseError`.
    """
    try:
        with translate_sqlite_errors(path), existing(path) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return row[0] if row else None


def check(path: Path) -> None:
    """Reads the whole file. Raises `Damaged`; a writer that holds the file is no damage."""
    with (
        suppress(Busy),
        translate_sqlite_errors(path),
        existing(path, busy_seconds=0.0) as connection,
    ):
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise Damaged(f"{path} is damaged")


def ensure_schema(path: Path) -> None:
    """Brings an older project up to this version after a backup copy.

    Raises `SchemaTooNew` for a project of a newer version, `DatabaseError` for no project.
    """
    found = schema_of(path)
    if found == SCHEMA:
        return
    if found is None:
        raise Damaged(f"{path} is not a project's database")
    if found > SCHEMA:
        raise SchemaTooNew(
            f"{path.parent} was made by a newer mllmaug-tui (schema {found}, this one knows"
            f" {SCHEMA}): upgrade mllmaug-tui"
        )
    with translate_sqlite_errors(path):
        back_up(path, path.with_name(f"{path.name}.schema-{found}"))
        migrate(path)


def back_up(path: Path, copy: Path) -> None:
    with existing(path) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def migrate(path: Path, revision: str = "head") -> None:
    """Runs the migrations, each in a transaction; also makes a new database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with writer_engine(path.absolute(), mode="rwc").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
