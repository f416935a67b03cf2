"""The files of a database that SQLite must not be let near."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from db import connection as connect
from db import projects
from db.connection import DatabaseDamaged, DatabaseUnusable
from db.files import JOURNAL_MAGIC, companions, remove_database

PAGE = 4096
SECTOR = 512


def hot_journal(database: Path, names: Path | None) -> bytes:
    """Return a journal that SQLite rolls back; with `names` it also names that file."""
    data = database.read_bytes()
    page = data[:PAGE]
    checksum = sum(page[place] for place in range(PAGE - 200, 0, -200)) & 0xFFFFFFFF
    header = JOURNAL_MAGIC + struct.pack(">5I", 1, 0, len(data) // PAGE, SECTOR, PAGE)
    journal = header.ljust(SECTOR, b"\0") + struct.pack(">I", 1) + page
    journal += struct.pack(">I", checksum)
    if names is not None:
        name = os.fsencode(names)
        journal += struct.pack(">I", 2**30 // PAGE + 1) + name
        journal += struct.pack(">2I", len(name), sum(name) & 0xFFFFFFFF) + JOURNAL_MAGIC
    return journal


def write_journal(database: Path, names: Path | None) -> Path:
    journal = companions(database)[0]
    journal.write_bytes(hot_journal(database, names))
    return journal


def test_a_journal_that_names_another_file_would_delete_it(database: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    write_journal(database, victim)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT count(*) FROM task").fetchone()
    assert not victim.exists(), "that is what SQLite does"


USES: dict[str, Callable[[Path], object]] = {
    "read": lambda path: connect.reading(path).__enter__(),
    "write": lambda path: connect.writing(path).__enter__(),
    "ask for the schema": connect.schema_of,
    "upgrade": connect.ensure_schema,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_such_a_journal_is_damage(
    database: Path, tmp_path: Path, use: Callable[[Path], object]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    journal = write_journal(database, victim)
    with pytest.raises(DatabaseDamaged, match="would have SQLite delete another file"):
        use(database)
    assert victim.read_text() == "precious"
    assert journal.exists()


def test_a_journal_of_a_killed_writer_is_rolled_back(database: Path) -> None:
    journal = write_journal(database, None)
    with connect.reading(database) as connection:
        assert len(projects.shards(connection)) == 3
    assert not journal.exists()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("suffix", ["", "-journal", "-wal", "-shm"])
@pytest.mark.parametrize("kind", ["a symbolic link", "a pipe", "a folder"])
def test_what_is_no_file_is_not_opened(
    database: Path, tmp_path: Path, use: Callable[[Path], object], suffix: str, kind: str
) -> None:
    path = database.with_name(database.name + suffix)
    if not suffix:
        path.rename(tmp_path / "elsewhere")
    if kind == "a symbolic link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(DatabaseUnusable, match=f"is not a regular file but {kind}"):
        use(database)


def test_a_copy_is_written_to_no_place_that_a_link_names(database: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    copy = tmp_path / "copy"
    copy.symlink_to(victim)
    write_journal(database, victim).rename(tmp_path / "copy-journal")
    connect.back_up(database, copy)
    assert victim.read_text() == "precious"
    assert copy.is_file() and not copy.is_symlink()


def test_removing_a_database_takes_all_of_its_files(tmp_path: Path) -> None:
    database = tmp_path / "project.db"
    for path in (database, *companions(database), tmp_path / "project.json"):
        path.touch()
    remove_database(database)
    remove_database(database)
    assert [path.name for path in tmp_path.iterdir()] == ["project.json"]
