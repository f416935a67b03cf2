"""The figures of style."""

from __future__ import annotations

import pytest

from engine.quality.style import BLOCK, style_of


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
