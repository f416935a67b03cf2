"""Ratings: the captions that a person called good or bad, each with a reason.

A rating is of a caption as a model with certain settings made it. It counts while the model has
these settings, as the caption does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields

from sqlalchemy import Connection, Select, bindparam, delete, or_, select
from sqlalchemy.dialects.sqlite import insert

from db.rows import ORIGINAL_ID, CaptionKey, Rating, RatingKey, RatingRow
from db.tables import MODEL, RATING
from db.values import storable_text

KEY = ("shard", "i", "model_id", "settings_hash")


def reasons_of_bad(connection: Connection, shard: int | None = None) -> dict[CaptionKey, str]:
    """Return why captions of one shard, or of all shards, are bad, where they are rated so."""
    ratings = current(connection, shard)
    return {key: rating.reason for key, rating in ratings.items() if not rating.good}


def all_ratings(connection: Connection) -> dict[RatingKey, Rating]:
    """Return every rating, also those of captions of other settings than a model has now."""
    return {row_key(row): rating_of(row) for row in read(connection, select(RATING))}


def current(connection: Connection, shard: int | None = None) -> dict[CaptionKey, Rating]:
    """Return the ratings of the captions of one shard, or of all shards, that count now."""
    query = select(RATING).outerjoin(MODEL, MODEL.c.id == RATING.c.model_id)
    query = query.where(
        or_(RATING.c.model_id == ORIGINAL_ID, RATING.c.settings_hash == MODEL.c.settings_hash)
    )
    if shard is not None:
        query = query.where(RATING.c.shard == shard)
    return {row_key(row)[:3]: rating_of(row) for row in read(connection, query)}


def change(
    connection: Connection, added: Mapping[RatingKey, Rating], removed: Collection[RatingKey]
) -> None:
    """Add ratings, of which each replaces an earlier one of its caption, and remove others."""
    if added:
        values = [
            dict(zip(KEY, key, strict=True))
            | {"good": rating.good, "reason": storable_text(rating.reason)}
            for key, rating in added.items()
        ]
        adding = insert(RATING)
        changed = {name: adding.excluded[name] for name in ("good", "reason")}
        connection.execute(adding.on_conflict_do_update(set_=changed), values)
    if removed:
        same = [RATING.c[name] == bindparam(f"of_{name}") for name in KEY]
        names = [f"of_{name}" for name in KEY]
        keys = [dict(zip(names, key, strict=True)) for key in removed]
        connection.execute(delete(RATING).where(*same), keys)


def read(connection: Connection, query: Select[tuple[object, ...]]) -> list[RatingRow]:
    names = [field.name for field in fields(RatingRow)]
    rows = connection.execute(query).mappings()
    return [RatingRow(**{name: row[name] for name in names}) for row in rows]


def row_key(row: RatingRow) -> RatingKey:
    return row.shard, row.i, row.model_id, row.settings_hash


def rating_of(row: RatingRow) -> Rating:
    return Rating(row.good, row.reason)
