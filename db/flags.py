"""Records that a person marked for later, whatever the models said of them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from db.rows import RecordKey
from db.tables import FLAG


def places(connection: Connection, shard: int | None = None) -> frozenset[RecordKey]:
    """Those of a shard, or all."""
    query = select(FLAG.c.shard, FLAG.c.i)
    if shard is not None:
        query = query.where(FLAG.c.shard == shard)
    return frozenset((number, i) for number, i in connection.execute(query))


def change(connection: Connection, on: Collection[RecordKey], off: Collection[RecordKey]) -> None:
    """Flags some records and takes the flags of others away."""
    if on:
        values = [{"shard": shard, "i": i} for shard, i in on]
        connection.execute(insert(FLAG).on_conflict_do_nothing(), values)
    if off:
        same = FLAG.c.shard == bindparam("of_shard"), FLAG.c.i == bindparam("at")
        values = [{"of_shard": shard, "at": i} for shard, i in off]
        connection.execute(delete(FLAG).where(*same), values)
