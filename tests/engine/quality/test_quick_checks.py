"""Most captions are passed by quick checks; those find what the patterns behind them find."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.quality import loops
from engine.quality.defects import CUT_SIGNS, CUT_WORDS, breaks_off, ends_in_name
from engine.quality.facts import DIGITS, NAME
from engine.quality.words import words_of

FEW_WORDS = st.lists(st.sampled_from("a a a the dog red cat 1 2 two very".split()), max_size=30)  # noqa: SIM905
TURNS = st.tuples(FEW_WORDS, FEW_WORDS, st.integers(1, 4), FEW_WORDS).map(
    lambda parts: [*parts[0], *parts[1][:9] * parts[2], *parts[3]]
)
SIGNS = st.text(alphabet="ab AB,;:-.('1\u0663\u2014\n", max_size=20)


@settings(max_examples=50)
@given(TURNS)
@example(["dog"] * 3)
@example(["a", "dog"] * 3)
@example(["very"] * 5)
@example(["1", "a", "dog", "2", "a", "dog", "3", "a", "dog"])
@example(["the", "red", "dog", "runs", "the", "red", "dog", "runs"])
def test_turns_are_found_at_every_distance(words: list[str]) -> None:
    plain = [word for word in words if word not in loops.COUNTERS]
    expected = turns_in(words, loops.TURNS, 2) or (
        len(plain) < len(words) and turns_in(plain, {}, loops.COUNTED_TURNS)
    )
    assert loops.has_turns(words) == expected


def turns_in(words: Sequence[str], turns: dict[int, int], long_turns: int) -> bool:
    """Return what `in_a_row` returns, by trying every phrase at every place."""
    for length in range(1, len(words) // 2 + 1):
        count = turns.get(length, long_turns)
        for start in range(len(words)):
            phrase = list(words[start : start + length])
            times = count
            if length == 1 and not loops.is_plain(words[start]):
                times = max(count, loops.EMPHASIS_TURNS)
            if list(words[start : start + length * times]) == phrase * times:
                return True
    return False


@settings(max_examples=50)
@given(TURNS)
@example(
    [
        "a",
        "a",
        "a",
        "a",
        "b",
        "b",
        "b",
        "b",
        "c",
        "c",
        "d",
        "d",
        "e",
        "f",
        "g",
        "h",
        "i",
        "j",
        "k",
        "l",
    ]
)
def test_a_monotonous_stretch_is_found_wherever_it_is(words: list[str]) -> None:
    count, distinct = len(words), len(set(words))
    windows = [words[start : start + loops.WINDOW] for start in range(0, count - 11, 2)]
    expected = count >= loops.FEW_WORDS and (
        distinct <= min(count * loops.MIN_DISTINCT, loops.WINDOW)
        or any(len(set(window)) <= loops.WINDOW_DISTINCT for window in windows)
    )
    assert loops.is_monotonous(words) == expected


@settings(max_examples=50)
@given(
    st.text(alphabet="abcd", min_size=1, max_size=5), st.integers(1, 9), st.text("abx", max_size=9)
)
@example("hahaha", 3, "")
@example("ab", 4, "")
def test_a_loop_within_a_word_is_what_the_pattern_finds(unit: str, times: int, end: str) -> None:
    word = unit * times + end
    found = loops.WORD_LOOP.search(word)
    expected = len(word) >= loops.LONG_MEAN and found is not None and len(found[0]) >= 8
    assert loops.is_loop(word, [word], frozenset([word])) == expected


@settings(max_examples=50)
@given(st.text(alphabet="ab !?.,-_\n", max_size=30))
@example("!" * 8)
@example("a" + "!" * 8 + "b")
@example("a.b." + "? " * 8 + "c")
def test_a_sign_that_is_repeated_is_found_with_words_around_it(text: str) -> None:
    words = words_of(text)
    if loops.MARK_LOOP.search(text) is not None:
        assert loops.may_hold_marks(len(text), sum(map(len, words)), len(words))
        assert loops.is_loop(text, words, frozenset(words))


@settings(max_examples=50)
@given(SIGNS)
@example("a dog (")
@example("on the ")
@example("a dog and the")
def test_a_text_breaks_off_by_its_last_word_or_sign(text: str) -> None:
    end = text.rstrip()
    if end.rpartition(" ")[2].lower() in CUT_WORDS:
        expected = not ends_in_name(end)
    else:
        expected = end[:-1].strip() != "" and end.endswith(CUT_SIGNS)
    assert breaks_off(text) == expected


@settings(max_examples=50)
@given(SIGNS)
@example("in Paris, Rome (and Oslo) 12 3")
def test_names_and_numbers_are_those_of_the_plain_patterns(text: str) -> None:
    assert NAME.findall(text) == re.findall(r"(?<=[\w,;)] )[A-Z][a-z]+\b", text)
    assert DIGITS.findall(text) == re.findall(r"\d+", text)
