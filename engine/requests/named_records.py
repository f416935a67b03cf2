"""The records that requests name: checked, and as text in answers."""

from __future__ import annotations

from collections.abc import Collection

from db.rows import RecordKey
from engine.state.project_state import ProjectState
from engine.utils.errors import RequestRefused
from engine.utils.plurals import plural

NAMED_RECORDS = 5
"""Records that an answer names, at most, so that it fits on a line; more are only counted."""


def check_records(project_state: ProjectState, keys: Collection[RecordKey]) -> None:
    """Raise `RequestRefused` for a record that the project does not have."""
    for shard, i in sorted(keys):
        if shard not in project_state.shards or not 0 <= i < project_state.shards[shard].count:
            raise RequestRefused(f"there is no record {shard}/{i}")


def name_records(records: Collection[RecordKey]) -> str:
    """Return the records as text, such as `00007/120`, or only their number if they are many."""
    if len(records) > NAMED_RECORDS:
        return plural(len(records), "record")
    return ", ".join(f"{shard:05}/{i}" for shard, i in sorted(records))
