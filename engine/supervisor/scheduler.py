"""Which model a free device should work on: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """What a model has waiting. Given in project order."""

    model_id: int
    left: int
    """Records of its tasks that may start now."""
    workers: int
    """Devices that have it loaded or are loading it, the asking one not counted."""


def choose_model(demands: Sequence[Demand], loaded: int | None, pinned: int | None) -> int | None:
    """The loaded model while it has work, else the one with the most work left per worker."""
    wanted = [
        demand
        for demand in demands
        if demand.left > 0 and (pinned is None or demand.model_id == pinned)
    ]
    if any(demand.model_id == loaded for demand in wanted):
        return loaded
    if not wanted:
        return None
    return max(wanted, key=lambda demand: demand.left / (demand.workers + 1)).model_id
