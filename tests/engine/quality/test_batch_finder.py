"""What is ruled out for many captions at once, the finder does not find either."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.quality.batch_finder import BatchFinder, Caption
from engine.quality.defects import DefectFinder
from engine.quality.leaks import START
from engine.quality.openings import PATTERNS, first_words, may_begin_with
from engine.quality.vocabulary import Vocabulary
from engine.quality.words import head_of, words_of
from engine.shearing.lead_ins import LEAD_IN
from engine.shearing.shear import Shearing, make_shearer
from tests.engine.quality import caption_cases
from tests.support.photo_captions import IMAGINED, LOOKED_AT
from tests.support.planted_captions import planted

PROMPT = "What do you see here?"
LANGUAGES = ("en", "de", "zh")
CASES = [
    text
    for cases in vars(caption_cases).values()
    if isinstance(cases, (tuple, list))
    for text in cases
    if isinstance(text, str)
]
"""Captions with defects of all kinds, and good ones, that were collected by hand."""
PIECES = st.sampled_from(
    """
    the image this that there a an one is are not no can cannot be sorry I unable short caption:
    description of as summary, question request shows attached loading failed support okay, so let
    me see user wants 1. - ## ### Sure! Here certainly dog. man woman red la la la le un der die on
    hahahahaha caf\u00e9
    \u72d7\u72d7 \u0441\u043e\u0431\u0430\u043a\u0430 "LAX" don't
    'soup' What do you see here? <think> USER: ``` {"a": very of
    """.split()  # noqa: SIM905
)
TEXTS = st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=60)


def captions_of(raws: list[str], shearing: Shearing | None = None) -> list[Caption]:
    """Return captions of records in order, sheared or, without `shearing`, as they are."""
    shear = make_shearer("hf", shearing) if shearing else lambda raw, finish: raw
    return [Caption(i, raw, "stop", shear(raw, "stop")) for i, raw in enumerate(raws)]


def assert_nothing_is_ruled_out(captions: list[Caption], language: str) -> None:
    finder, vocabulary = DefectFinder(language, [PROMPT]), Vocabulary()
    columns = vocabulary.columns_of([caption.sheared for caption in captions])
    found = BatchFinder(finder, vocabulary).find(captions, columns)
    for (_, raw, finish, sheared), defects in zip(captions, found, strict=True):
        words = words_of(sheared)
        assert finder.find(raw, finish, sheared, words, frozenset(words)) == defects, raw


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", [None, "paper", "sentence"])
def test_planted_and_collected_captions(mode: str | None, language: str) -> None:
    raws = [caption.raw for caption in planted(2_000, 0.03, seed=8)[0]]
    photos = [text for photo in (*LOOKED_AT, *IMAGINED) for text in photo.captions]
    shearing = Shearing(mode) if mode else None  # type: ignore[arg-type]
    assert_nothing_is_ruled_out(captions_of([*raws, *photos, *CASES], shearing), language)


@settings(max_examples=100)
@given(st.lists(TEXTS, max_size=4), st.sampled_from(LANGUAGES))
@example(["A man reads 'soup' " + "in a big red hut " * 12], "en")
@example([f"{'a' * 200}: a dog"], "en")
def test_any_captions(texts: list[str], language: str) -> None:
    assert_nothing_is_ruled_out(captions_of(texts), language)


@settings(max_examples=100)
@given(st.lists(st.text(max_size=40) | TEXTS, max_size=5))
@example(["a\nb", "", "\0 .", "\x1c\u3000x", "\udc80 a", "\u0130stanbul", "\U0001d7d8a"])
def test_the_words_of_many_texts_are_those_of_each(texts: list[str]) -> None:
    columns = Vocabulary().columns_of(texts)
    assert list(map(columns.of, range(len(texts)))) == list(map(words_of, texts))
    assert columns.counts.tolist() == [len(words_of(text)) for text in texts]
    owners, words = columns.distinct
    numbers = columns.vocabulary.numbers
    assert list(zip(owners.tolist(), words.tolist(), strict=True)) == sorted(
        (n, numbers[word]) for n, text in enumerate(texts) for word in set(words_of(text))
    )


@pytest.mark.parametrize("pattern", [START, LEAD_IN], ids=["leak", "lead-in"])
def test_every_beginning_of_what_a_pattern_finds_may_go_on(pattern: object) -> None:
    """`regex` could take the end of a beginning for the end of the text."""
    partial = {str(each.pattern): each for each in PATTERNS.values()}[pattern.pattern]  # type: ignore[attr-defined]
    heads = [head_of(caption.raw) for caption in planted(2_000, 0.03, seed=9)[0]] + [
        head_of(text) for text in CASES
    ]
    found = [head for head in heads if pattern.match(head)]  # type: ignore[attr-defined]
    beginnings = {head[: blank.start()] for head in found for blank in re.finditer(" ", head)}
    assert len(found) > 40
    assert [each for each in beginnings if partial.match(each, partial=True) is None] == []


def test_most_good_captions_are_ruled_out_by_their_first_words() -> None:
    good = [text for photo in (*LOOKED_AT, *IMAGINED) for text in photo.captions]
    assert sum(map(bool, map(may_begin_with, good))) < len(good) / 20
    assert may_begin_with("The image shows a dog on a lawn.") == 0


@pytest.mark.parametrize(
    ("text", "count", "first"),
    [("a dog runs", 2, "a dog"), ("a dog", 2, ""), ("", 1, ""), ("a  dog", 2, "a ")],
)
def test_first_words(text: str, count: int, first: str) -> None:
    assert first_words(text, count) == first
