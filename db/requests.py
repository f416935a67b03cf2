"""What people ask of a run. Anyone inserts; only the holder of the project's lock answers."""

from __future__ import annotations

import json
import time
from typing import Any

from sqlalchemy import Connection, insert, select, update

from db.rows import RequestRow
from db.tables import REQUEST
from db.values import columns, storable


def add(connection: Connection, kind: str, payload: dict[str, Any] | None = None) -> int:
    """Returns the request's number, by which its answer is found."""
    values = {"created": time.time(), "kind": kind, "payload": json.dumps(payload or {})}
    number = connection.execute(insert(REQUEST).values(values).returning(REQUEST.c.id))
    return int(number.scalar_one())


def pending(connection: Connection) -> tuple[RequestRow, ...]:
    rows = connection.execute(
        select(*columns(REQUEST, RequestRow)).where(REQUEST.c.state == "new").order_by(REQUEST.c.id)
    )
    return tuple(to_row(row) for row in rows)


def get(connection: Connection, number: int) -> RequestRow:
    row = connection.execute(select(*columns(REQUEST, RequestRow)).where(REQUEST.c.id == number))
    return to_row(row.one())


def answer(connection: Connection, number: int, state: str, note: str | None) -> None:
    connection.execute(
        update(REQUEST)
        .where(REQUEST.c.id == number, REQUEST.c.state == "new")
        .values(storable({"state": state, "note": note, "handled": time.time()}))
    )


def to_row(row: Any) -> RequestRow:
    return RequestRow(**(row._asdict() | {"payload": json.loads(row.payload)}))
