"""The request to flag records or captions that a person wants to come back to, or not to export."""

from __future__ import annotations

from collections.abc import Collection, Set

from db.rows import ORIGINAL_ID, RecordKey
from engine.captioners.model_families import is_scorer
from engine.requests.kinds import Flag
from engine.state.project_state import ProjectState
from engine.utils.errors import RequestRefused
from engine.utils.plurals import plural

NAMED_RECORDS = 5
"""Records that an answer names, at most, so that it fits on a line; more are only counted."""
ORIGINAL = "original"
"""The name by which a request means the original captions."""


def flag(project_state: ProjectState, request: Flag) -> str:
    """Flag records or captions, take their flags away, or turn each over.

    Returns the answer as text. Raises `RequestRefused`.
    """
    requested = set(request.records)
    for shard, i in sorted(requested):
        if shard not in project_state.shards or not 0 <= i < project_state.shards[shard].count:
            raise RequestRefused(f"there is no record {shard}/{i}")
    if request.model is not None:
        return flag_captions(project_state, request, find_model(project_state, request.model))
    if request.reason:
        raise RequestRefused("a reason belongs to the flag of a caption: say of which model")
    on, off = split(requested, project_state.flags, request.flagged)
    if not on and not off:
        return "flagged already" if request.flagged else "not flagged"
    project_state.flag(on, off)
    return describe(on, off)


def flag_captions(project_state: ProjectState, request: Flag, model_id: int) -> str:
    """Flag the captions of a model, or take their flags away; return the answer."""
    requested = set(request.records)
    reasons = project_state.caption_flags
    flagged = {(shard, i) for shard, i, model in reasons if model == model_id}
    on, off = split(requested, flagged, request.flagged)
    if request.flagged:  # another reason replaces the one that is there
        on = {key for key in requested if reasons.get((*key, model_id)) != request.reason}
    if not on and not off:
        return "flagged already" if request.flagged else "not flagged"
    project_state.flag_captions(
        {(*key, model_id): request.reason for key in on}, [(*key, model_id) for key in off]
    )
    return f"{request.model}: {describe(on, off)}"


def find_model(project_state: ProjectState, name: str) -> int:
    """Return the id of the model with this name, or that of the original. Raises
    `RequestRefused`."""
    models = project_state.models.values()
    ids = {model.name: model.id for model in models if not is_scorer(model.family)}
    if name not in {ORIGINAL: ORIGINAL_ID} | ids:
        names = ", ".join([ORIGINAL, *ids])
        raise RequestRefused(f"no captions are called {name!r}: there are those of {names}")
    return ids.get(name, ORIGINAL_ID)


def split(
    requested: Set[RecordKey], flagged: Set[RecordKey], on: bool | None
) -> tuple[Set[RecordKey], Set[RecordKey]]:
    """Return what is to be flagged and of what the flag is to be taken; None turns each over."""
    none = frozenset[RecordKey]()
    return (
        none if on is False else requested - flagged,
        none if on is True else requested & flagged,
    )


def describe(on: Collection[RecordKey], off: Collection[RecordKey]) -> str:
    """Return what was flagged, and what no longer is."""
    changes = (("flagged", on), ("no longer flagged", off))
    return "; ".join(f"{change}: {name_records(keys)}" for change, keys in changes if keys)


def name_records(records: Collection[RecordKey]) -> str:
    """Return the records as text, such as `00007/120`, or only their number if they are many."""
    if len(records) > NAMED_RECORDS:
        return plural(len(records), "record")
    return ", ".join(f"{shard:05}/{i}" for shard, i in sorted(records))
