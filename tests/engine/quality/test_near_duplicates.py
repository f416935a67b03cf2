"""Near duplicates."""

from __future__ import annotations

import random

import pytest

from engine.quality.near_duplicates import SIMILARITY, find_near_duplicates, shingles, similarity
from tests.support.planted_captions import good

FIRST = "a man with a red hat rides a brown horse along the beach at dawn"


@pytest.mark.parametrize(
    ("second", "near"),
    [
        (FIRST, True),
        (FIRST.replace("brown", "black"), True),
        (f"{FIRST} today", True),
        (FIRST.replace("red ", ""), True),
        (FIRST.replace("red", "blue").replace("brown", "black"), False),
        ("a dog sleeps", False),
        ("", False),
    ],
)
def test_a_near_duplicate_differs_in_a_word(second: str, near: bool) -> None:
    assert find_near_duplicates([FIRST, second]).tolist() == [False, near]


def test_few_texts_and_none() -> None:
    assert find_near_duplicates([]).tolist() == []
    assert find_near_duplicates(["", ""]).tolist() == [False, False]
    assert find_near_duplicates(["a", "a", ""]).tolist() == [False, True, False]


def test_most_near_duplicates_among_many_captions_of_a_template_are_found() -> None:
    """Many of them have the same band of a signature."""
    rng = random.Random(6)
    colours = ("red", "blue", "green", "black", "white", "grey")
    things = ("ball", "box", "cup", "bell", "cap", "drum")
    places = ("to the left of", "above", "below", "behind")

    def caption() -> str:
        one, other = (f"a {rng.choice(colours)} {rng.choice(things)}" for _ in range(2))
        return f"the picture shows {one} that lies {rng.choice(places)} {other} on a plain floor"

    texts = list(dict.fromkeys(caption() for _ in range(900)))
    found = find_near_duplicates(texts)
    words = [set(shingles(text)) for text in texts]
    expected = [
        any(similarity(earlier, text) >= SIMILARITY for earlier in words[:i])
        for i, text in enumerate(texts)
    ]
    right = sum(map(all, zip(expected, found, strict=True)))
    assert sum(expected) > 300
    assert right == found.sum()
    assert right >= 0.99 * sum(expected)


def test_all_that_a_comparison_of_all_pairs_finds_is_found() -> None:
    rng = random.Random(4)
    texts = [good(rng).lower().rstrip(".") for _ in range(150)]
    texts += [f"{text} too" for text in rng.sample(texts, 60)]
    rng.shuffle(texts)
    found = find_near_duplicates(texts)
    expected = [
        any(similarity(set(shingles(earlier)), text) >= SIMILARITY for earlier in texts[:i])
        for i, text in enumerate(texts)
    ]
    assert found.tolist() == expected
    assert sum(expected) >= 60
