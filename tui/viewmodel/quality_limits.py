"""How many captions with a defect are too many: what a run gives an alarm for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from engine.captioners.settings import Settings
from engine.quality.alarms import LEAST_CAPTIONS, LIMITS, HealthRecord, Limit, limits_of

if TYPE_CHECKING:
    from db.rows import ModelRow

Verdict = Literal["none", "-", "few", "too many", "alarming"]
"""How many of a model's captions have a defect: more than a run warns of, or more than it stops the
model for; `-` where no number is too many."""

Limits = Mapping[str, Limit]
"""The limits of a model by the name of the defect; others have none."""


def limits_for(model: ModelRow | None) -> Limits:
    """Return the limits of a model as a run takes them; None stands for the originals."""
    if model is None:
        return LIMITS
    pilot = HealthRecord.of(model.health).pilot
    return limits_of(Settings.of(model.settings).limits, pilot)


def verdict_of(name: str, count: int, captions: int, limits: Limits) -> Verdict:
    """Return whether `count` of so many captions with a defect are too many."""
    if not count:
        return "none"
    limit = limits.get(name, Limit(None, None))
    if limit.warn is None and limit.stop is None:
        return "-"
    if count >= LEAST_CAPTIONS:
        if limit.stop is not None and count > limit.stop * captions:
            return "alarming"
        if limit.warn is not None and count > limit.warn * captions:
            return "too many"
    return "few"
