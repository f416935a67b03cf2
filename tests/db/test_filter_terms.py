"""The terms that filters and searches are made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.filter_terms import FilterError, Term, parse_terms


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("dog", Term(False, None, "", "dog", False, "dog")),
        ("-dog", Term(True, None, "", "dog", False, "dog")),
        ("NOT  dog", Term(True, None, "", "dog", False, "dog")),
        ("-", Term(False, None, "", "-", False, "-")),
        ("not", Term(False, None, "", "not", False, "not")),
        ('"a dog"', Term(False, None, "", "a dog", True, '"a dog"')),
        ('-otter:"a dog"', Term(True, "otter", ":", "a dog", True, 'otter:"a dog"')),
        ("otter:", Term(False, "otter", ":", "", False, "otter:")),
        ("otter:words<5", Term(False, "otter", ":", "words<5", False, "otter:words<5")),
        ("words <= 5", Term(False, "words", "<=", "5", False, "words <= 5")),
        ("a>b", Term(False, "a", ">", "b", False, "a>b")),
        ('5"', Term(False, None, "", '5"', False, '5"')),
    ],
)
def test_a_term(text: str, term: Term) -> None:
    assert parse_terms(f" {text} ") == [term]
    assert parse_terms(f"{text} x")[:1] == [term] or text in ("-", "not"), "which then negate x"


@given(st.lists(st.sampled_from(['"', "-", "not ", " ", "a", "b:", "<", ">=", "5", "!"])))
def test_every_text_has_terms_or_an_unclosed_quotation_mark(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        terms = parse_terms(text)
    except FilterError as error:
        assert '"' in text
        assert "is not closed" in str(error)
    else:
        assert "".join(term.text for term in terms).replace(" ", "") in text.replace(" ", "") or (
            any(term.negated for term in terms)
        )
        assert bool(terms) == bool(text.strip())
