"""Opening `project.db`, for reading or for writing, at the schema this version knows.

Rollback journal with `synchronous=EXTRA`: about one transaction a second needs no WAL, and a
moved folder cannot lose a `-wal` file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

SCHEMA = "0001"
"""The newest migration in `migrations/versions`."""

BUSY_SECONDS = 5.0


class DatabaseError(Exception):
    """A database that cannot be used as it is; the message says what to do."""


class SchemaTooNew(DatabaseError):
    pass


class Busy(DatabaseError):
    """Another process holds the database: try again at the next tick."""


def writer_engine(path: Path, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine whose every transaction is BEGIN IMMEDIATE.

    Python's sqlite3 sends no BEGIN before a SELECT, so that two sessions could read, change
    and write, the later undoing the earlier.
    """
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": busy_seconds}
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
def writing(path: Path) -> Iterator[Connection]:
    """One write transaction, committed at the end of the block. Raises `Busy`."""
    engine = writer_engine(path)
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        raise_busy(error)
        raise


def raise_busy(error: OperationalError) -> None:
    if sqlite_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise Busy("the project's database is busy; try again") from error


def sqlite_code(error: OperationalError) -> int | None:
    """SQLite's primary result code."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A short read-only look, each statement its own transaction.

    After a kill a hot journal may lie beside the file, which no read-only connection may roll
    back: then the file is opened for writing once.
    """
    uri = f"sqlite:///file:{quote(path)}?mode=ro&uri=true"
    engine = create_engine(
        uri,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    with engine.connect() as connection:
        try:
            connection.execute(text("SELECT 1 FROM sqlite_master LIMIT 1"))
        except OperationalError as error:
            if sqlite_code(error) != sqlite3.SQLITE_READONLY:
                raise
            roll_back_hot_journal(path)
        yield connection


def quote(path: Path) -> str:
    """The path as it must stand in a SQLite URI inside an SQLAlchemy URL."""
    from urllib.parse import quote as percent

    return percent(percent(str(path.absolute())), safe="/%")


def roll_back_hot_journal(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()


def schema_of(path: Path) -> str | None:
    """The migration a database stands at, None for one that is no project's.

    Raises `DatabaseError` for a file that is not a database at all.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise DatabaseError(f"cannot open {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{path} is damaged: {error}") from error
    return row[0] if row else None


def ensure_schema(path: Path) -> None:
    """Brings an older project up to this version after a backup copy.

    Raises `SchemaTooNew` for a project of a newer version, `DatabaseError` for no project.
    """
    found = schema_of(path)
    if found == SCHEMA:
        return
    if found is None:
        raise DatabaseError(f"{path} is not a project's database")
    if found > SCHEMA:
        raise SchemaTooNew(
            f"{path.parent} was made by a newer mllmaug-tui (schema {found}, this one knows"
            f" {SCHEMA}): upgrade mllmaug-tui"
        )
    back_up(path, path.with_name(f"{path.name}.schema-{found}"))
    migrate(path)


def back_up(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def migrate(path: Path, revision: str = "head") -> None:
    """Runs the migrations, each in a transaction; also makes a new database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with writer_engine(path).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
