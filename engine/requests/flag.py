"""The request to flag records that a person wants to come back to, or not to have in an export."""

from __future__ import annotations

from collections.abc import Collection

from db.rows import RecordKey
from engine.requests.kinds import Flag
from engine.state.project_state import ProjectState
from engine.utils.errors import RequestRefused
from engine.utils.plurals import plural

NAMED_RECORDS = 5
"""Records that an answer names, at most, so that it fits on a line; more are only counted."""


def flag(project_state: ProjectState, request: Flag) -> str:
    """Flag records, take their flags away, or turn each over.

    Returns the answer as text. Raises `RequestRefused`.
    """
    flagged = request.flagged
    requested = set(request.records)
    for shard, i in sorted(requested):
        if shard not in project_state.shards or not 0 <= i < project_state.shards[shard].count:
            raise RequestRefused(f"there is no record {shard}/{i}")
    on = set[RecordKey]() if flagged is False else requested - project_state.flags
    off = set[RecordKey]() if flagged is True else requested & project_state.flags
    if not on and not off:
        return "flagged already" if flagged else "not flagged"
    project_state.flag(on, off)
    changes = (("flagged", on), ("no longer flagged", off))
    return "; ".join(f"{change}: {name_records(keys)}" for change, keys in changes if keys)


def name_records(records: Collection[RecordKey]) -> str:
    """Return the records as text, such as `00007/120`, or only their number if they are many."""
    if len(records) > NAMED_RECORDS:
        return plural(len(records), "record")
    return ", ".join(f"{shard:05}/{i}" for shard, i in sorted(records))
