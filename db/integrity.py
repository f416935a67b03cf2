"""SQLite's own full check of a database file, with its indexes, which opening a project spares."""

from __future__ import annotations

from pathlib import Path

from db.connection import DatabaseDamaged, reading


def check_integrity(path: Path) -> None:
    """Read the whole file. Raises `DatabaseDamaged`, `DatabaseError`."""
    with reading(path) as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if found != "ok":
        raise DatabaseDamaged(f"{path} is damaged: {found}")
