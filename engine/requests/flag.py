"""Flags: records that a person wants to come back to, or not to have in an export."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from db.rows import RecordKey
from engine.state.project_state import ProjectState
from engine.utils.errors import Refused
from engine.utils.plurals import plural

NAMED = 5


def flag(project_state: ProjectState, places: Iterable[Sequence[int]], flagged: bool | None) -> str:
    """Flags them, takes their flags away, or, with None, turns each one over. Raises `Refused`."""
    wanted = {(shard, i) for shard, i in places}
    for shard, i in sorted(wanted):
        if shard not in project_state.shards or not 0 <= i < project_state.shards[shard].count:
            raise Refused(f"there is no record {shard}/{i}")
    on = set[RecordKey]() if flagged is False else wanted - project_state.flags
    off = set[RecordKey]() if flagged is True else wanted & project_state.flags
    if not on and not off:
        return "flagged already" if flagged else "not flagged"
    project_state.flag(on, off)
    said = (("flagged", on), ("no longer flagged", off))
    return "; ".join(f"{what}: {named(changed)}" for what, changed in said if changed)


def named(places: Collection[RecordKey]) -> str:
    if len(places) > NAMED:
        return plural(len(places), "record")
    return ", ".join(f"{shard:05}/{i}" for shard, i in sorted(places))
