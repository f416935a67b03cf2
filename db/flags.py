"""Flags: records that a person marked for later, whatever the models made of them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from db.rows import RecordKey
from db.tables import FLAG


def record_keys(connection: Connection, shard: int | None = None) -> frozenset[RecordKey]:
    """Return the keys of the flagged records of one shard, or of all shards."""
    query = select(FLAG.c.shard, FLAG.c.i)
    if shard is not None:
        query = query.where(FLAG.c.shard == shard)
    return frozenset((number, i) for number, i in connection.execute(query))


def change(
    connection: Connection, added: Collection[RecordKey], removed: Collection[RecordKey]
) -> None:
    """Flag the records `added` and remove the flags of the records `removed`."""
    if added:
        values = [{"shard": shard, "i": i} for shard, i in added]
        connection.execute(insert(FLAG).on_conflict_do_nothing(), values)
    if removed:
        same_record = FLAG.c.shard == bindparam("shard_number"), FLAG.c.i == bindparam("index")
        values = [{"shard_number": shard, "index": i} for shard, i in removed]
        connection.execute(delete(FLAG).where(*same_record), values)
