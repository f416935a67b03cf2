"""Choosing the model that a free device works on: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """The work that one model has waiting."""

    model_id: int
    left: int
    """Records left in the model's pending tasks; 0 if none of them may start on this device now."""
    workers: int
    """Other devices that have the model loaded or are loading it."""


def choose_model(demands: Sequence[Demand], loaded: int | None, pinned: int | None) -> int | None:
    """Return the id of the model that a free device should work on, or None if there is no work.

    The loaded model is kept while it has work; otherwise it is the model with the most records
    left per worker, the first of `demands` (in project order) if several have as many. A pinned
    device works on no other model.
    """
    candidates = [
        demand
        for demand in demands
        if demand.left > 0 and (pinned is None or demand.model_id == pinned)
    ]
    if any(demand.model_id == loaded for demand in candidates):
        return loaded
    if not candidates:
        return None
    return max(candidates, key=lambda demand: demand.left / (demand.workers + 1)).model_id
