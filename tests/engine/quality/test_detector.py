"""The detector of bad captions, tried on planted ones: the short form of `tests.bench health`."""

from __future__ import annotations

from functools import cache

import pytest

from engine.quality.defects import DEFECT_NAMES
from tests.support.detector_trial import Trial, try_detector

NAMES = (*DEFECT_NAMES, "duplicates", "near_duplicates", "same_as_other")
ENOUGH = 0.95


@cache
def trial() -> Trial:
    return try_detector(4000, 0.01, seed=2)


@pytest.mark.parametrize("name", NAMES)
def test_planted_defects_are_found_and_nothing_else_is(name: str) -> None:
    score = trial().scores[name]
    mistakes = [raw for found, raw in trial().mistakes if found == name][:5]
    assert score.right >= 40, "so many were planted at least"
    assert score.precision >= ENOUGH, mistakes
    assert score.recall >= ENOUGH, mistakes
