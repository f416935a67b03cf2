"""Filters by quality: what they may be, how they are written, what a project must have for them."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.captioners.address import MODEL_NAME
from engine.quality.quality_filter import FILTER_NAMES, QualityFilter, ScoreBound
from engine.utils.errors import BadInput
from tui.cli.filter_options import filter_options

CLIP = ScoreBound("clip", 0.2)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({}, QualityFilter()),
        ({"without": "loops, leaks"}, QualityFilter(without=("loops", "leaks"))),
        (
            {"without": ("loops,empty", "loops", "")},
            QualityFilter(without=("loops", "empty")),
        ),
        ({"min_score": ["clip=0.2"]}, QualityFilter(min_score=(CLIP,))),
        (
            {"min_score": ["a=b=-1", " siglip = 1e-1 "]},
            QualityFilter(min_score=(ScoreBound("a=b", -1.0), ScoreBound("siglip", 0.1))),
        ),
        ({"drop_original_when": "contradicted"}, QualityFilter(drop_contradicted=True)),
        (
            {"drop_original_when": ("score<0.2", "contradicted")},
            QualityFilter(drop_contradicted=True, original_min_score=ScoreBound(None, 0.2)),
        ),
        ({"drop_original_when": "clip < .2"}, QualityFilter(original_min_score=CLIP)),
    ],
)
def test_what_people_write(written: dict[str, Any], meant: QualityFilter) -> None:
    assert QualityFilter.parse(**written) == meant


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        (
            {"without": "loop"},
            "there is no defect 'loop': name one of loops, empty, .* same_as_other",
        ),
        ({"without": "other_script", "language": "xx"}, "unknown language 'xx': one of"),
        ({"min_score": ["0.2"]}, "'0.2' is not a lowest score: write NAME=X, such as clip=0.2"),
        ({"min_score": ["=0.2"]}, "is not a lowest score"),
        ({"min_score": ["clip="]}, "'clip=': '' is not a number"),
        ({"min_score": ["clip=nan"]}, "'nan' is not a number"),
        ({"min_score": ["clip=25"]}, "a score lies between -1 and 1: 25 is none"),
        ({"drop_original_when": "score<2"}, "a score lies between -1 and 1: 2 is none"),
        (
            {"drop_original_when": "bad"},
            "'bad' does not say when an original is left out: write 'contradicted' or",
        ),
        ({"drop_original_when": "score<x"}, "'x' is not a number"),
        ({"drop_original_when": "score<0,clip<0"}, "give 'score<X' once"),
        ({"best": 0}, "--best is the number of captions that stay, 1 or more: not 0"),
        ({"min_agree": 0}, "--min-agree must be a share above 0, up to 1, not 0"),
        ({"min_agree": 2}, "--min-agree must be a share above 0, up to 1, not 2"),
        ({"keep_share": 30}, "--keep-share must be a share above 0, up to 1, not 30"),
        ({"keep_share": float("nan")}, "--keep-share must be a share above 0, up to 1, not nan"),
        ({"keep_share": 0.5, "share_seed": -1}, "--share-seed is a number from 0"),
        ({"by": "clip"}, "--by names the scorer of .* give one of these, too"),
        ({"best": 1, "by": "random"}, "--best chooses by a score, and 'random' is no scorer"),
        (
            {"drop_original_when": "score<0", "by": "random"},
            "score<X chooses by a score, and 'random' is no scorer",
        ),
        ({"share_seed": 4}, "--share-seed is that of --keep-share"),
    ],
)
def test_what_makes_no_sense(written: dict[str, Any], answer: str) -> None:
    with pytest.raises(BadInput, match=answer):
        QualityFilter.parse(**written)


ONE_BY_SCORE = QualityFilter(best=1)


@pytest.mark.parametrize(
    ("quality", "scorers", "models", "by"),
    [
        (QualityFilter(without=("loops",)), [], 1, None),
        (QualityFilter(without=("loops",)), ["clip"], 1, None),
        (ONE_BY_SCORE, ["clip"], 1, "clip"),
        (QualityFilter(best=1, by="b"), ["a", "b"], 1, "b"),
        (QualityFilter(keep_share=0.3), [], 1, "random"),
        (QualityFilter(keep_share=0.3), ["clip"], 1, "clip"),
        (QualityFilter(keep_share=0.3, by="random"), ["a", "b"], 1, "random"),
        (QualityFilter(min_score=(CLIP,)), ["clip"], 1, None),
        (QualityFilter(min_agree=0.5), [], 2, None),
        (QualityFilter(original_min_score=CLIP), ["a", "clip"], 1, None),
    ],
)
def test_what_a_project_can_tell(
    quality: QualityFilter, scorers: list[str], models: int, by: str | None
) -> None:
    assert quality.for_project(scorers, models).by == by


@pytest.mark.parametrize(
    ("quality", "scorers", "models", "answer"),
    [
        (ONE_BY_SCORE, [], 2, "choose by a score: the project has none; 'add-model .*score:FOLDER"),
        (ONE_BY_SCORE, ["a", "b"], 2, "name the scorer with --by: the project has a, b"),
        (QualityFilter(best=1, by="c"), ["a"], 2, "there is no scorer 'c': the project has a"),
        (QualityFilter(min_score=(CLIP,)), [], 2, "there is no scorer 'clip': the project has no"),
        (QualityFilter(original_min_score=CLIP), ["a"], 2, "there is no scorer 'clip'"),
        (QualityFilter(min_agree=0.5), [], 1, "the project has only one model"),
        (QualityFilter(drop_contradicted=True), ["a"], 1, "the project has only one model"),
    ],
)
def test_what_a_project_cannot_tell(
    quality: QualityFilter, scorers: list[str], models: int, answer: str
) -> None:
    with pytest.raises(BadInput, match=answer):
        quality.for_project(scorers, models)


def test_score_stands_for_the_only_scorer() -> None:
    quality = QualityFilter.parse(drop_original_when="score<0.2").for_project(["clip"], 1)
    assert quality.original_min_score == CLIP
    assert quality.scorers == ["clip"]


NUMBERS = st.floats(-1, 1)
BOUNDS = st.builds(ScoreBound, st.from_regex(MODEL_NAME, fullmatch=True), NUMBERS)


@st.composite
def filters(draw: st.DrawFn) -> QualityFilter:
    choose = draw(st.booleans())
    by = draw(st.none() | st.sampled_from(["random", "it's"])) if choose else None
    scored = by != "random"  # nothing is chosen by a score then
    return QualityFilter(
        without=tuple(draw(st.lists(st.sampled_from(FILTER_NAMES), unique=True))),
        min_score=tuple(draw(st.lists(BOUNDS, max_size=2))),
        best=draw(st.integers(1, 9)) if choose and scored else None,
        min_agree=draw(st.none() | st.floats(0.01, 1)),
        drop_contradicted=draw(st.booleans()),
        original_min_score=draw(st.none() | BOUNDS.filter(lambda each: each.scorer != "score"))
        if scored
        else None,
        keep_share=draw(st.floats(0.01, 1) if by else st.none() | st.floats(0.01, 1)),
        by=by,
    )


@given(filters())
def test_the_options_of_a_filter_say_it_again(quality: QualityFilter) -> None:
    words = shlex.split(" ".join(quality.arguments()))
    made: list[QualityFilter] = []

    @click.command()
    @filter_options
    def command(quality: QualityFilter) -> None:
        made.append(quality)

    command.main(words, standalone_mode=False)
    assert made == [quality]
    assert bool(quality) == bool(words)


@given(st.text(), st.text())
def test_any_text_is_a_filter_or_bad_input(first: str, second: str) -> None:
    for words in ({"min_score": [first]}, {"drop_original_when": first}, {"without": [first]}):
        try:
            QualityFilter.parse(**words, by=second or None)
        except BadInput as error:
            assert str(error)
