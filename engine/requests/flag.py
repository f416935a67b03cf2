"""The request to flag records or captions that a person wants to come back to, or not to export.

A caption is flagged by rating it bad (`engine.requests.rate`).
"""

from __future__ import annotations

from collections.abc import Collection, Set

from db.rows import Rating, RatingKey, RecordKey
from engine.requests.kinds import Flag
from engine.requests.named_records import check_records, name_records
from engine.requests.rate import find_model
from engine.state.project_state import ProjectState
from engine.utils.errors import RequestRefused


def flag(project_state: ProjectState, request: Flag) -> str:
    """Flag records or captions, take their flags away, or turn each over.

    Returns the answer as text. Raises `RequestRefused`.
    """
    requested = set(request.records)
    check_records(project_state, requested)
    if request.model is not None:
        return flag_captions(project_state, request, *find_model(project_state, request.model))
    if request.reason:
        raise RequestRefused("a reason needs a caption: name the model of the caption")
    on, off = split(requested, project_state.flags, request.flagged)
    if not on and not off:
        return "flagged already" if request.flagged else "not flagged"
    project_state.flag(on, off)
    return describe(on, off)


def flag_captions(
    project_state: ProjectState, request: Flag, model_id: int, settings_hash: str
) -> str:
    """Rate the captions of a model bad, or take such ratings away; return the answer."""
    requested, ratings = set(request.records), project_state.ratings
    rating = Rating(False, request.reason)

    def rating_key(key: RecordKey) -> RatingKey:
        return *key, model_id, settings_hash

    rated = {key: it for key in requested if (it := ratings.get(rating_key(key))) is not None}
    flagged = {key for key, it in rated.items() if not it.good}
    on, off = split(requested, flagged, request.flagged)
    if request.flagged:  # another reason replaces the one that is there
        on = {key for key in requested if rated.get(key) != rating}
    if not on and not off:
        return "flagged already" if request.flagged else "not flagged"
    project_state.rate(dict.fromkeys(map(rating_key, on), rating), set(map(rating_key, off)))
    return f"{request.model}: {describe(on, off)}"


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
