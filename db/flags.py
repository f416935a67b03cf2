"""Flags: records and captions that a person marked for later, whatever the models made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from db.rows import CaptionKey, RecordKey
from db.tables import CAPTION_FLAG, FLAG
from db.values import storable_text


def record_keys(connection: Connection, shard: int | None = None) -> frozenset[RecordKey]:
    """Return the keys of the flagged records of one shard, or of all shards."""
    query = select(FLAG.c.shard, FLAG.c.i)
    if shard is not None:
        query = query.where(FLAG.c.shard == shard)
    return frozenset((number, i) for number, i in connection.execute(query))


def caption_reasons(connection: Connection, shard: int | None = None) -> dict[CaptionKey, str]:
    """Return why each flagged caption of one shard, or of all shards, is flagged."""
    columns = CAPTION_FLAG.c
    query = select(columns.shard, columns.i, columns.model_id, columns.reason)
    if shard is not None:
        query = query.where(columns.shard == shard)
    return {(number, i, model): reason for number, i, model, reason in connection.execute(query)}


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


def change_captions(
    connection: Connection, added: Mapping[CaptionKey, str], removed: Collection[CaptionKey]
) -> None:
    """Flag the captions `added`, each for its reason, which replaces an earlier one, and remove the
    flags of the captions `removed`."""
    if added:
        values = [
            {"shard": shard, "i": i, "model_id": model_id, "reason": storable_text(reason)}
            for (shard, i, model_id), reason in added.items()
        ]
        flagged = insert(CAPTION_FLAG)
        reason = {"reason": flagged.excluded.reason}
        connection.execute(flagged.on_conflict_do_update(set_=reason), values)
    if removed:
        columns = CAPTION_FLAG.c
        same_caption = (
            columns.shard == bindparam("shard_number"),
            columns.i == bindparam("index"),
            columns.model_id == bindparam("of_model"),
        )
        numbers = [
            {"shard_number": shard, "index": i, "of_model": model_id}
            for shard, i, model_id in removed
        ]
        connection.execute(delete(CAPTION_FLAG).where(*same_caption), numbers)
