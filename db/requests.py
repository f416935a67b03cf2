"""Requests of people to a project. Anyone inserts them; only the holder of the lock answers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, LargeBinary, cast, insert, null, select, update

from db.rows import RequestRow
from db.tables import REQUEST
from db.values import columns, storable

FROM_ANYONE = ("kind", "payload", "note", "result")
"""Columns that anyone may fill, with anything; they are read as bytes, which never fails."""
COLUMNS = [
    cast(column, LargeBinary).label(column.name) if column.name in FROM_ANYONE else column
    for column in columns(REQUEST, RequestRow)
]
"""The columns of a request as `to_row` takes them."""
MAX_NEWEST = 100
"""The most requests that `newest` returns: how far back one can undo."""


def add(connection: Connection, kind: str, payload: dict[str, Any] | None = None) -> int:
    """Insert a request and return its id, with which `get` reads the answer."""
    values = {"created": time.time(), "kind": kind, "payload": json.dumps(payload or {})}
    request_id = connection.execute(insert(REQUEST).values(values).returning(REQUEST.c.id))
    return int(request_id.scalar_one())


def pending(connection: Connection) -> tuple[RequestRow, ...]:
    """Return the requests that nobody has answered yet, oldest first."""
    query = select(*COLUMNS).where(REQUEST.c.state == "new").order_by(REQUEST.c.id)
    return tuple(to_row(row) for row in connection.execute(query))


def newest(connection: Connection, kinds: Sequence[str]) -> tuple[RequestRow, ...]:
    """Return the newest requests of these kinds, the last one first, without their results."""
    columns_read = [column for column in COLUMNS if column.name != "result"]
    query = select(*columns_read, null().label("result")).where(REQUEST.c.kind.in_(kinds))
    rows = connection.execute(query.order_by(REQUEST.c.id.desc()).limit(MAX_NEWEST))
    return tuple(to_row(row) for row in rows)


def find(connection: Connection, request_id: int) -> RequestRow | None:
    """Return the request with this id, None if there is none."""
    row = connection.execute(select(*COLUMNS).where(REQUEST.c.id == request_id)).one_or_none()
    return None if row is None else to_row(row)


def get(connection: Connection, request_id: int) -> RequestRow:
    """Return the request with this id, which must exist."""
    query = select(*COLUMNS).where(REQUEST.c.id == request_id)
    return to_row(connection.execute(query).one())


def answer(
    connection: Connection,
    request_id: int,
    state: str,
    note: str | None,
    result: dict[str, Any] | None = None,
) -> None:
    """Answer a request with `done` or `refused`, unless it was answered before.

    `note` is a text for people, `result` the same as values.
    """
    values = {
        "state": state,
        "note": note,
        "result": None if result is None else json.dumps(result),
        "handled": time.time(),
    }
    connection.execute(
        update(REQUEST)
        .where(REQUEST.c.id == request_id, REQUEST.c.state == "new")
        .values(storable(values))
    )


def to_row(row: Any) -> RequestRow:
    """Return a request as read with `COLUMNS`; what should be JSON and is none becomes None."""
    decoded = {
        "kind": row.kind.decode("utf-8", "replace"),
        "payload": json_value(row.payload),
        "note": None if row.note is None else row.note.decode("utf-8", "replace"),
        "result": json_value(row.result),
    }
    return RequestRow(**(row._asdict() | decoded))


def json_value(text: bytes | None) -> Any:
    """Return the JSON value in a text, or None if it holds none."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
