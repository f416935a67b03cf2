"""Which caption `JointCaptions` draws."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from engine.datasets.joint_draw import DrawRule
from engine.utils.errors import BadInput

NAMES = ["original", "one", "two"]
DRAWS = 6000


def drawn_shares(names: list[str] = NAMES, **options: Any) -> dict[str, float]:
    """Return how often the caption of each name is drawn."""
    rule = DrawRule(**options)
    counts = Counter(rule.draw(names, names, epoch=3, index=index) for index in range(DRAWS))
    return {name: count / DRAWS for name, count in counts.items()}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"original": 1 / 3, "one": 1 / 3, "two": 1 / 3}),
        ({"mix": 0.5}, {"original": 1 / 2, "one": 1 / 4, "two": 1 / 4}),
        ({"mix": 0}, {"one": 1 / 2, "two": 1 / 2}),
        ({"mix": 1}, {"original": 1}),
        ({"weights": {"two": 2}}, {"original": 1 / 4, "one": 1 / 4, "two": 1 / 2}),
        ({"weights": {"original": 0, "one": 0}}, {"two": 1}),
        ({"mix": 0.2, "weights": {"one": 3}}, {"original": 0.2, "one": 0.6, "two": 0.2}),
        ({"mix": 0.2, "weights": {"one": 0, "two": 0}}, {"original": 0.2, "one": 0.4, "two": 0.4}),
    ],
)
def test_shares(options: dict[str, Any], expected: dict[str, float]) -> None:
    assert drawn_shares(**options) == pytest.approx(expected, abs=0.02)


def test_an_image_without_some_captions_gets_one_of_the_others() -> None:
    assert drawn_shares(["one"], mix=1) == {"one": 1}
    assert drawn_shares(["original"], mix=0) == {"original": 1}
    assert drawn_shares(["one", "two"], weights={"one": 0, "two": 0}) == pytest.approx(
        {"one": 0.5, "two": 0.5}, abs=0.02
    )


def test_a_random_sentence_of_the_models_and_the_whole_original() -> None:
    rule = DrawRule(mode="random_sentence")
    names = ["original", "one"]
    captions = ["A dog. For sale.", "A dog runs. It is approx. 3 m long! The grass is"]
    drawn = {rule.draw(names, captions, epoch, 7) for epoch in range(60)}
    assert drawn == {"A dog. For sale.", "A dog runs.", "It is approx. 3 m long!"}
    assert rule.draw(["one"], ["..."], 0, 0) == "...", "a caption without a sentence stays whole"


def test_the_draw_is_the_same_for_seed_epoch_and_index_alone() -> None:
    """What earlier versions drew with the same seed is drawn still."""
    earlier = [0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 2, 0]
    assert [DrawRule(seed=1).choose(NAMES, 2, index) for index in range(12)] == earlier
    assert [DrawRule(seed=2).choose(NAMES, 2, index) for index in range(12)] != earlier
    assert [DrawRule(seed=1).choose(NAMES, 3, index) for index in range(12)] != earlier


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "sentence"}, "draw is one of caption, random_sentence, not 'sentence'"),
        ({"mix": 1.5}, "mix is a share between 0 and 1, not 1.5"),
        ({"mix": math.nan}, "mix is a share"),
        ({"weights": {"one": -1}}, "the weight of 'one' is 0 or a greater number, not -1"),
        ({"weights": {"one": math.inf}}, "the weight of 'one'"),
        ({"weights": {"one": math.nan}}, "the weight of 'one'"),
        ({"mix": 0.5, "weights": {"original": 2}}, "give no weight of 'original'"),
    ],
)
def test_values_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        DrawRule(**options)


def test_names_that_no_source_has_are_refused() -> None:
    with pytest.raises(BadInput, match="there are no captions of 'three', only of one"):
        DrawRule(weights={"three": 1}).refuse_unknown(["one", "two"])
    with pytest.raises(BadInput, match="mix needs captions with the name 'original'"):
        DrawRule(mix=0.5).refuse_unknown(["one", "two"])
    DrawRule(mix=0.5, weights={"one": 1}).refuse_unknown(["original", "one"])
