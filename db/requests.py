"""Requests of people to a project. Anyone inserts them; only the holder of the lock answers."""

from __future__ import annotations

import json
import time
from typing import Any

from sqlalchemy import Connection, insert, select, update

from db.rows import RequestRow
from db.tables import REQUEST
from db.values import columns, storable


def add(connection: Connection, kind: str, payload: dict[str, Any] | None = None) -> int:
    """Insert a request and return its id, with which `get` reads the answer."""
    values = {"created": time.time(), "kind": kind, "payload": json.dumps(payload or {})}
    request_id = connection.execute(insert(REQUEST).values(values).returning(REQUEST.c.id))
    return int(request_id.scalar_one())


def pending(connection: Connection) -> tuple[RequestRow, ...]:
    """Return the requests that nobody has answered yet, oldest first."""
    rows = connection.execute(
        select(*columns(REQUEST, RequestRow)).where(REQUEST.c.state == "new").order_by(REQUEST.c.id)
    )
    return tuple(to_row(row) for row in rows)


def get(connection: Connection, request_id: int) -> RequestRow:
    """Return the request with this id, which must exist."""
    query = select(*columns(REQUEST, RequestRow)).where(REQUEST.c.id == request_id)
    return to_row(connection.execute(query).one())


def answer(connection: Connection, request_id: int, state: str, note: str | None) -> None:
    """Answer a request with `done` or `refused` and a note, unless it was answered before."""
    connection.execute(
        update(REQUEST)
        .where(REQUEST.c.id == request_id, REQUEST.c.state == "new")
        .values(storable({"state": state, "note": note, "handled": time.time()}))
    )


def to_row(row: Any) -> RequestRow:
    return RequestRow(**(row._asdict() | {"payload": json.loads(row.payload)}))
