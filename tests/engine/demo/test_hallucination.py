"""Invented objects and wrong claims in captions of scenes."""

from __future__ import annotations

import pytest

from engine.demo.hallucination import Hallucination
from engine.demo.scenes import make_scene, true_caption

SCENE = next(
    scene
    for scene in (make_scene(5, index) for index in range(100))
    if (scene.first.colour, scene.second.colour) == ("red", "blue")
)


def counted(*captions: str) -> Hallucination:
    counts = Hallucination()
    for caption in captions:
        counts.add(caption, SCENE)
    return counts


def test_a_true_caption_invents_nothing() -> None:
    counts = counted(true_caption(SCENE))
    assert (counts.objects, counts.invented, counts.wrong_claims) == (2, 0, 0)
    assert counts.claims == 2
    assert (counts.chair_i, counts.chair_s, counts.wrong_claims_a_caption) == (0, 0, 0)


def test_what_is_not_there_is_invented() -> None:
    """CHAIR by hand: three of five objects are invented, in one of two captions."""
    raw = f"{true_caption(SCENE)}. There is also a green star under a blue sky. A dog is nearby"
    counts = counted(raw, "Nothing else")
    assert counts.chair_i == pytest.approx(3 / 5)
    assert counts.chair_s == pytest.approx(1 / 2)
    assert counts.wrong_claims_a_caption == pytest.approx(3 / 2)


def test_nothing_to_count() -> None:
    assert (counted().chair_s, counted().wrong_claims_a_caption) == (None, None)
    assert counted("shapes").chair_i is None
