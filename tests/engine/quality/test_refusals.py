"""Whether refusals are told from captions that sound like them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.quality.placeholders import is_placeholder
from engine.quality.refusal_features import unquoted
from engine.quality.refusal_phrases import REFUSAL_ELSEWHERE
from engine.quality.refusal_weights import BIAS
from engine.quality.refusal_words import WEAK_CUES
from engine.quality.refusals import (
    ANY_CUE,
    has_cue,
    is_refusal,
    reasons_of,
    refuses_in_english,
    score_of,
    weights_of_features,
)
from engine.quality.words import words_of
from tests.engine.quality import caption_cases as cases
from tests.engine.quality import train_refusals
from tests.engine.quality.refusal_cases import (
    ABOUT_THE_CAPTION,
    ELSEWHERE,
    NEAR_REFUSALS,
    ODD_OTHERS,
    ODD_REFUSALS,
    OTHERS,
    PASSES,
    REFUSALS,
    SIGNS,
    TALK,
)

TEXTS = st.lists(
    st.sampled_from(
        """
        the this there no not image picture caption is are was be been can cannot I you your we dog
        red describe see attached uploaded unavailable broken empty sorry, please upload policy a of
        in with from which what only too hard lost. It shows
        """.split()  # noqa: SIM905
    ),
    max_size=12,
).map(" ".join)


def refuses(text: str) -> bool:
    words = words_of(text)
    return is_refusal(text, words, frozenset(words))


@pytest.mark.parametrize(
    ("texts", "most_missed"),
    [
        *((REFUSALS, 0.05), (cases.REFUSALS, 0.05), (ODD_REFUSALS, 0.1), (NEAR_REFUSALS, 0.1)),
        (PASSES, 0.2),
    ],
)
def test_refusals_are_found_in_wordings_that_are_no_examples(
    texts: Sequence[str], most_missed: float
) -> None:
    missed = [text for text in texts if not refuses(text)]
    assert len(missed) <= most_missed * len(texts), missed


@pytest.mark.parametrize(
    ("texts", "most_wrong"),
    [
        (OTHERS, 0.05),
        (cases.GOOD, 0.01),
        (ODD_OTHERS, 0.05),
        (TALK, 0.2),
        (ABOUT_THE_CAPTION, 0.15),
        (SIGNS, 0),
    ],
)
def test_what_sounds_like_a_refusal_is_hardly_ever_taken_for_one(
    texts: Sequence[str], most_wrong: float
) -> None:
    wrong = [text for text in texts if refuses(text)]
    assert len(wrong) <= most_wrong * len(texts), wrong


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_refusal_in_another_language_is_found(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", ["null", "None.", "<no caption>", "(no description)", "n/a"])
def test_a_placeholder_is_no_refusal(text: str) -> None:
    assert not refuses(text)


@pytest.mark.parametrize("text", cases.OTHER_LANGUAGES)
def test_a_caption_in_another_language_is_no_refusal(text: str) -> None:
    assert not refuses(text)


@pytest.mark.parametrize("joint", [". It shows ", ". In the picture there is "])
def test_a_refusal_is_found_with_a_description_behind_it(joint: str) -> None:
    described = [f"{text.rstrip('.')}{joint}a rider in a blue vest" for text in REFUSALS]
    assert sum(map(refuses, described)) >= 0.9 * len(described)
    described = [f"{text.rstrip('.')}{joint}a rider in a blue vest" for text in OTHERS]
    assert sum(map(refuses, described)) <= 0.05 * len(described)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ('"I cannot describe this image."', True),
        ('{"caption": null, "error": "the image could not be opened"}', True),
        ('A shirt that says "I cannot describe this image."', False),
        ("I cannot describe this image.", True),
        ("I can\u2019t describe this image.", True),
        ("I CANNOT DESCRIBE THIS IMAGE", True),
    ],
)
def test_what_a_caption_quotes_does_not_count(text: str, is_found: bool) -> None:
    assert refuses(text) == is_found


@given(TEXTS)
@example("the image is not available")
@example("image unavailable")
@example("caption unavailable")
@example("the caption is empty")
@example("the dog is hidden")
@example("the image is broken and the dog and the cat sit in a red box")
@example("no puedo")
@example("\u62b1\u6b49")
def test_a_refusal_is_what_the_weights_or_the_other_languages_find(text: str) -> None:
    words = words_of(text)
    expected = not is_placeholder(words) and (
        (has_cue(set(words)) and refuses_in_english(text))
        or REFUSAL_ELSEWHERE.match(unquoted(text)) is not None
    )
    assert refuses(text) == expected


def test_hardly_a_refusal_lacks_a_cue() -> None:
    texts = [*REFUSALS, *cases.REFUSALS, *ODD_REFUSALS]
    lacking = [text for text in texts if (ANY_CUE | WEAK_CUES).isdisjoint(words_of(text))]
    assert len(lacking) <= 0.01 * len(texts), lacking


def held_out(name: str) -> list[str]:
    """Return the lines of a list whose author had seen neither the program nor the examples."""
    path = train_refusals.EXAMPLES / f"held_out_{name}.txt"
    return path.read_text(encoding="utf-8").splitlines()


def test_refusals_of_an_author_who_knew_no_example() -> None:
    """Nobody may look at them and then change the examples or the kinds of words."""
    found = sum(map(refuses, held_out("refusals")))
    wrong = sum(map(refuses, held_out("captions")))
    assert found >= 0.95 * len(held_out("refusals"))
    assert found >= 0.95 * (found + wrong)


def test_no_example_is_tested_here() -> None:
    examples = {tuple(words_of(text)) for text in train_refusals.read_examples()[0]}
    tested = (
        *(*REFUSALS, *OTHERS, *ODD_REFUSALS, *ODD_OTHERS, *cases.REFUSALS, *cases.GOOD),
        *(*TALK, *ABOUT_THE_CAPTION, *SIGNS, *NEAR_REFUSALS, *PASSES),
        *(*held_out("refusals"), *held_out("captions")),
    )
    assert len(examples) > 2000
    assert [text for text in tested if tuple(words_of(text)) in examples] == []


def test_the_weights_are_those_of_the_examples() -> None:
    """They are rounded to tenths, so that another processor may find one a tenth off."""
    weights, bias = train_refusals.train(*train_refusals.read_examples())
    saved = weights_of_features()
    assert bias == pytest.approx(BIAS, abs=0.11)
    assert all(
        weights.get(name, 0.0) == pytest.approx(saved.get(name, 0.0), abs=0.11)
        for name in weights.keys() | saved.keys()
    )


def test_the_reasons_add_up_to_the_score() -> None:
    text = "I am sorry, but I cannot see a picture."
    reasons = reasons_of(text)
    assert BIAS + sum(weight for weight, _ in reasons) == pytest.approx(score_of(text))
    assert reasons[0][0] > 0 > reasons[-1][0]
