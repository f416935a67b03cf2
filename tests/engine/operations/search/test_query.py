"""What a person types to search, and what it asks for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.operations.search.query import (
    AGREEMENT,
    BAD,
    DISAGREE_BELOW,
    DUPLICATE,
    FAILED,
    FLAGGED,
    SYNTAX,
    WORDS,
    Compared,
    Condition,
    HasDefect,
    HasMark,
    HasRecordText,
    HasText,
    IsAny,
    IsOfModels,
    SearchTerm,
    parse_query,
)
from engine.utils.errors import BadInput

MODELS = ("llava-1.5", "llava-next", "otter")
LLAVAS = MODELS[:2]


@pytest.mark.parametrize(
    ("typed", "condition", "models", "negated"),
    [
        ("standing", HasText("standing"), None, False),
        ('"a red car"', HasText("a red car"), None, False),
        ("-dog", HasText("dog"), None, True),
        ("!dog", HasText("dog"), None, True),
        ("not dog", HasText("dog"), None, True),
        ("otter:standing", HasText("standing"), ("otter",), False),
        ('OTTER:"two people"', HasText("two people"), ("otter",), False),
        ("-llava:dog", HasText("dog"), LLAVAS, True),
        ("llava-1.5:dog", HasText("dog"), ("llava-1.5",), False),
        ("otter:loop", HasDefect("loops"), ("otter",), False),
        ("otter:words<=5", Compared(WORDS, "<=", 5), ("otter",), False),
        ("otter:http://x", HasText("http://x"), ("otter",), False),
        ("otter:", IsAny(), ("otter",), False),
        ("original:dog", HasRecordText("caption", "dog"), None, False),
        ('-Original:"a dog"', HasRecordText("caption", "a dog"), None, True),
        ("original:", HasRecordText("caption", ""), None, False),
        ("path:a/0001", HasRecordText("image", "a/0001"), None, False),
        ("otter:path:0001", HasRecordText("image", "0001"), ("otter",), False),
        ('"path:0001"', HasText("path:0001"), None, False),
        ("model:llava", IsAny(), LLAVAS, False),
        ("-model:llava", IsOfModels(LLAVAS), None, True),
        ("words < 5", Compared(WORDS, "<", 5), None, False),
        ("score<0.2", Compared("clip", "<", 0.2), None, False),
        ("clip>.3", Compared("clip", ">", 0.3), None, False),
        ("disagree", Compared(AGREEMENT, "<", DISAGREE_BELOW), None, False),
        ("Cut", HasDefect("truncated"), None, False),
        ("lead_ins", HasDefect("lead_ins"), None, False),
        ("dup", HasMark(DUPLICATE), None, False),
        ("failed", HasMark(FAILED), None, False),
        ("rated:bad", HasMark(BAD), None, False),
        ("otter:Rated:bad", HasMark(BAD), ("otter",), False),
        ("-otter:flagged", HasMark(FLAGGED), ("otter",), True),
        ('otter:"rated:bad"', HasText("rated:bad"), ("otter",), False),
        ('"loop"', HasText("loop"), None, False),
    ],
)
def test_a_term(
    typed: str, condition: Condition, models: tuple[str, ...] | None, negated: bool
) -> None:
    (term,) = parse_query(typed, MODELS, ["clip"]).terms
    assert term == SearchTerm(condition, models, negated)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "the search is empty"),
        ('say "no', "a quotation mark is not closed"),
        ("sign:stop", "there is no model 'sign': the project has llava-1.5"),
        ("words<few", "words needs a number, such as words<5"),
        ("score<inf", "score needs a number, such as score<0.2"),
        ("size>5", "only words, score, agree, clip have a number"),
        ("near_duplicates", "near duplicates are counted in a sample"),
        ("dog -otter:near_duplicate", "near duplicates are counted in a sample"),
    ],
)
def test_what_cannot_be_searched_says_what_can(typed: str, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as raised:
        parse_query(typed, MODELS, ["clip"])
    assert str(raised.value).endswith(", ".join(term for term, _ in SYNTAX))


@pytest.mark.parametrize(
    ("scorers", "problem"),
    [((), "no caption has a score"), (("clip", "vqa"), "by which score. Write clip<0.2")],
)
def test_a_score_is_by_one_scorer(scorers: tuple[str, ...], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        parse_query("score<0.2", MODELS, scorers)


def test_all_that_help_shows_can_be_searched() -> None:
    for terms, _ in SYNTAX:
        assert parse_query(terms, MODELS, ["clip"]).terms


@given(
    st.lists(
        st.sampled_from([*'"-! :<>=5.x', "not ", "otter", "words", "score", "rated:bad", "path:"])
    )
)
def test_every_text_is_a_query_or_bad_input(parts: list[str]) -> None:
    with suppress(BadInput):
        assert parse_query("".join(parts), MODELS, ["clip"]).terms
