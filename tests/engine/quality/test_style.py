"""The figures of style."""

from __future__ import annotations

import pytest

from engine.quality.style import BLOCK, FactSums, OriginalFacts, style_of
from engine.quality.words import words_of


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
    counted, words = FactSums(), words_of(caption)
    counted.add(caption, len(words), frozenset(words), OriginalFacts.of(original))
    expected = FactSums(captions=1, words=len(words), compared=1)
    for name, value in sums.items():
        setattr(expected, name, value)
    assert counted == expected


def test_a_caption_without_an_original_has_words_alone() -> None:
    counted = FactSums()
    counted.add("a dog", 2, frozenset(("a", "dog")), None)
    assert counted == FactSums(captions=1, words=2)


def test_monotonous_captions() -> None:
    style = style_of(["the image shows a dog"] * BLOCK)
    assert style.openings == (("the image shows", BLOCK),)
    assert (style.common_openings, style.vocabulary, style.vocabulary_growth) == (1.0, 5, 1.0)
    assert style.distinct_2 == pytest.approx(4 / (4 * BLOCK))


def test_captions_that_are_all_different() -> None:
    style = style_of([f"a{n} b{n} c{n}" for n in range(BLOCK + 5)])
    assert style.common_openings == pytest.approx(20 / (BLOCK + 5))
    assert (style.distinct_2, style.vocabulary, style.vocabulary_growth) == (1.0, 3 * BLOCK, 2.0)


def test_too_few_captions_have_no_figure() -> None:
    style = style_of(["a dog"] * (BLOCK - 1))
    assert (style.distinct_2, style.vocabulary, style.vocabulary_growth) == (None, None, None)
    assert style_of([]).common_openings is None
