"""Flags: records that a person wants to come back to, or not to have in an export."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from db import projects
from db.connect import reading
from db.rows import Place
from engine.books import Books
from engine.errors import BadInput, Refused
from engine.project import Project
from engine.wording import plural

WRITTEN = re.compile(r"([0-9]+)[:/]([0-9]+)")
NAMED = 5


def places_named(project: Project, written: Iterable[str]) -> list[Place]:
    """Reads `SHARD:PLACE`, or `SHARD/PLACE` as the screens write it. Raises `BadInput`."""
    with reading(project.database) as connection:
        counts = {shard.number: shard.count for shard in projects.shards(connection)}
    return [place_named(each, counts) for each in written]


def place_named(written: str, counts: dict[int, int]) -> Place:
    match = WRITTEN.fullmatch(written)
    if match is None:
        raise BadInput(f"{written!r}: write SHARD:PLACE, such as 7:120")
    shard, i = int(match[1]), int(match[2])
    if shard not in counts:
        raise BadInput(f"there is no record {written}: shards are 0 to {len(counts) - 1}")
    if i >= counts[shard]:
        raise BadInput(f"there is no record {written}: shard {shard} has 0 to {counts[shard] - 1}")
    return shard, i


def flag(books: Books, places: Iterable[Sequence[int]], flagged: bool | None) -> str:
    """Flags them, takes their flags away, or, with None, turns each one over. Raises `Refused`."""
    wanted = {(shard, i) for shard, i in places}
    for shard, i in sorted(wanted):
        if shard not in books.shards or not 0 <= i < books.shards[shard].count:
            raise Refused(f"there is no record {shard}/{i}")
    on = set[Place]() if flagged is False else wanted - books.flags
    off = set[Place]() if flagged is True else wanted & books.flags
    if not on and not off:
        return "flagged already" if flagged else "not flagged"
    books.flag(on, off)
    said = (("flagged", on), ("no longer flagged", off))
    return "; ".join(f"{what}: {named(changed)}" for what, changed in said if changed)


def named(places: Collection[Place]) -> str:
    if len(places) > NAMED:
        return plural(len(places), "record")
    return ", ".join(f"{shard:05}/{i}" for shard, i in sorted(places))
