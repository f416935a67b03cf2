"""The exports of a project that were written."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from db.rows import ExportRow
from db.supervisor_writes import delete_all_but
from db.tables import EXPORT
from db.values import columns, storable

MAX_EXPORTS = 1_000
"""Exports that the database holds; older ones are deleted."""


def add(connection: Connection, row: ExportRow) -> None:
    """Add an export, and delete the oldest ones beyond `MAX_EXPORTS`."""
    connection.execute(insert(EXPORT), storable(asdict(row)))
    connection.execute(delete_all_but(EXPORT, MAX_EXPORTS))


def newest(connection: Connection, limit: int) -> tuple[ExportRow, ...]:
    """Return the last `limit` exports, newest first."""
    query = select(*columns(EXPORT, ExportRow)).order_by(EXPORT.c.id.desc()).limit(limit)
    return tuple(ExportRow(**row._asdict()) for row in connection.execute(query))
