"""The detector of bad captions, tried on those that other people wrote and labelled."""

from __future__ import annotations

from functools import cache

import pytest

from tests.support.labelled_captions import KINDS, LabelledTrial, try_labelled

ENOUGH = 0.8
"""Precision and recall of a kind, at least: a caption that is cut within a word cannot be told from
a whole one, and what is reasoning can be argued about."""


@cache
def trial() -> LabelledTrial:
    return try_labelled()


@pytest.mark.parametrize("name", KINDS)
def test_most_of_each_kind_is_found(name: str) -> None:
    score = trial().scores[name]
    assert score.right >= 25
    assert score.precision >= ENOUGH
    assert score.recall >= ENOUGH


def test_hardly_a_good_caption_is_called_bad() -> None:
    assert trial().good >= 1000
    assert len(trial().good_called_bad) <= 0.015 * trial().good, trial().good_called_bad


def test_few_bad_captions_are_called_good() -> None:
    assert trial().bad >= 1000
    assert len(trial().bad_called_good) <= 0.06 * trial().bad, trial().bad_called_good
