"""The request to call captions good or bad: a bad one is flagged."""

from __future__ import annotations

from db.rows import ORIGINAL_ID, Rating
from engine.captioners.model_families import is_scorer
from engine.requests.kinds import Rate
from engine.requests.named_records import check_records, name_records
from engine.state.project_state import ProjectState
from engine.utils.errors import RequestRefused

ORIGINAL = "original"
"""The name by which a request means the original captions."""


def rate(project_state: ProjectState, request: Rate) -> str:
    """Rate captions, or take their ratings away; return the answer as text.

    Raises `RequestRefused`.
    """
    check_records(project_state, request.records)
    model_id, settings_hash = find_model(project_state, request.model)
    settings_hash = request.settings_hash or settings_hash
    keys = {(*key, model_id, settings_hash) for key in request.records}
    known = project_state.ratings
    if request.good is None:
        changed = {key for key in keys if key in known}
        project_state.rate({}, changed)
        said = "no longer rated" if changed else "not rated"
    else:
        rating = Rating(request.good, request.reason)
        changed = {key for key in keys if known.get(key) != rating}
        project_state.rate(dict.fromkeys(changed, rating), ())
        said = f"rated {rating.word}{'' if changed else ' already'}"
    named = f": {name_records({key[:2] for key in changed})}" if changed else ""
    return f"{request.model}: {said}{named}"


def find_model(project_state: ProjectState, name: str) -> tuple[int, str]:
    """Return id and settings hash of the model with this name, or of the original.

    Raises `RequestRefused`.
    """
    models = {it.name: it for it in project_state.models.values() if not is_scorer(it.family)}
    if name in models:
        return models[name].id, models[name].settings_hash
    if name == ORIGINAL:
        return ORIGINAL_ID, ""
    names = ", ".join([ORIGINAL, *models])
    raise RequestRefused(f"there are no captions of {name!r}, only of {names}")
