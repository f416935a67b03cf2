"""What captions keep of their originals, and what they add."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.quality.batch_finder import Caption
from engine.quality.facts import FactSums, OriginalFacts
from engine.quality.vocabulary import Vocabulary
from engine.quality.words import words_of

PHRASES = st.lists(
    st.sampled_from(
        ["a", "dog", "in London", "two", "2", "caf\u00e9", "Dog", "...", "3", "London"]
    ),
    max_size=6,
).map(" ".join)


@pytest.mark.parametrize(
    ("original", "caption", "sums"),
    [
        ("a dog", "A brown dog runs", {"content": 3, "new": 2}),
        ("a dog in London", "A dog in London", {"content": 2, "names": 1, "names_kept": 1}),
        ("a dog in London", "A dog in Paris", {"content": 2, "new": 1, "names": 1}),
        ("two dogs", "2 dogs", {"content": 2, "new": 1, "numbers": 1, "numbers_kept": 1}),
        ("3 dogs", "Three dogs", {"content": 2, "new": 1, "numbers": 1, "numbers_kept": 1}),
        ("3 dogs", "Many dogs", {"content": 1, "numbers": 1}),
        ("Dog Runs In The Park", "a dog", {"content": 1}),
    ],
)
def test_what_is_new_and_what_is_kept(original: str, caption: str, sums: dict[str, int]) -> None:
    expected = FactSums(captions=1, words=len(words_of(caption)), compared=1)
    for name, value in sums.items():
        setattr(expected, name, value)
    assert sums_of([caption], [original]) == expected


def sums_of(captions: list[str], originals: list[str] | None) -> FactSums:
    """Return the sums over captions of records in order, and their originals."""
    sums, vocabulary = FactSums(), Vocabulary()
    facts = None if originals is None else OriginalFacts(originals, vocabulary)
    texts = [Caption(i, text, "stop", text) for i, text in enumerate(captions)]
    sums.add_captions(texts, vocabulary.columns_of(captions), facts)
    return sums


def test_a_caption_without_an_original_has_words_alone() -> None:
    assert sums_of(["a dog"], None) == FactSums(captions=1, words=2)
    assert sums_of(["a dog"], [""]) == FactSums(captions=1, words=2)


def test_a_caption_without_words_is_none() -> None:
    assert sums_of(["...", ""], ["two dogs in London", "a dog"]) == FactSums()


@settings(max_examples=50)
@given(st.lists(st.tuples(PHRASES, PHRASES), min_size=1, max_size=9))
def test_the_sums_of_many_captions_are_those_of_each(pairs: list[tuple[str, str]]) -> None:
    captions, originals = map(list, zip(*pairs, strict=True))
    total = FactSums()
    for caption, original in pairs:
        total.add_sums(sums_of([caption], [original]))
    assert sums_of(captions, originals) == total
