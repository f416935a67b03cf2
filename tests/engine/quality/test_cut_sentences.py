"""What mode `paper` cuts at a full stop that ends no sentence, and how that is counted."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from db.rows import ShearMode
from engine.datasets.exports.quality_columns import health_of
from engine.quality.batch_finder import Caption
from engine.quality.cut_sentences import is_cut_within_sentence
from engine.quality.defects import DefectFinder
from engine.quality.judgement import ColumnFacts, judge
from engine.quality.quality_filter import CUT_WITHIN, QualityFilter
from engine.quality.shard_health import CUT_WITHIN_SENTENCE, ShardHealth, left_by_shearing
from engine.quality.vocabulary import Vocabulary
from engine.shearing.shear import Shearing, make_shearer
from tests.support.photo_captions import HELD_OUT, IMAGINED, LOOKED_AT

CUT = (
    "Prof. Mbeki points at a chart.",
    "Portrait of K. Hepburn in a garden.",
    "The U.K. ambassador shakes hands.",
    "A bottle of 0.7 litres on a shelf.",
    "A van with shop.example.com on its side.",
    'A banner says "Slow down. Children at play." over a road.',
    "A bridge (built by Eiffel & Co. in 1889) over a river.",
    "Sgt. Lopez waves. Behind him a band plays.",
)
WHOLE = (
    "A heron stands in a pond.",
    "A heron stands in a pond. A frog looks up.",
    "A heron stands in the sun. Its beak is open.",
    "A heron stands in a pond.A frog looks up.",
    "A heron stands in a pond...",
    'A banner says "Slow down."',
    "A heron (left) and a frog. Both are green.",
    '{"caption": "A heron stands in a pond.", "confidence": "high"}',
    "`A heron stands in a pond.`",
    "**A heron stands in a pond.** It is grey.",
    "A heron",
    "...",
    "",
)


@pytest.mark.parametrize("raw", CUT)
def test_a_caption_is_cut_where_no_sentence_ends(raw: str) -> None:
    assert is_cut_within_sentence(raw, make_shearer("hf", Shearing("paper"))(raw, "stop"))


@pytest.mark.parametrize("mode", get_args(ShearMode))
@pytest.mark.parametrize("raw", WHOLE)
def test_a_caption_is_cut_at_the_end_of_a_sentence(raw: str, mode: ShearMode) -> None:
    assert not is_cut_within_sentence(raw, make_shearer("hf", Shearing(mode))(raw, "stop"))


def test_mode_sentence_cuts_no_caption_within_a_sentence() -> None:
    shear = make_shearer("hf", Shearing("sentence"))
    good = [text for photo in (*LOOKED_AT, *IMAGINED, *HELD_OUT) for text in photo.captions]
    assert [raw for raw in (*CUT, *good) if is_cut_within_sentence(raw, shear(raw, "stop"))] == []


def test_a_cap_on_words_is_no_full_stop() -> None:
    raw = "A heron stands in a pond. A frog looks up."
    assert not is_cut_within_sentence(raw, "A heron stands")


def health_in_mode_paper(raws: list[str]) -> ShardHealth:
    shear = make_shearer("hf", Shearing("paper"))
    health = ShardHealth.of_nothing(len(raws), sampled=False)
    captions = [Caption(i, raw, "stop", shear(raw, "stop")) for i, raw in enumerate(raws)]
    health.add_captions(DefectFinder("en"), captions, Vocabulary())
    return health


def test_such_captions_are_counted_and_flagged() -> None:
    raws = [*CUT, *WHOLE]
    health = health_in_mode_paper(raws)
    flagged = left_by_shearing(health.flag_array()) & CUT_WITHIN_SENTENCE != 0
    assert flagged.tolist() == [True] * len(CUT) + [False] * len(WHOLE)
    assert health.shearing.cut_within_sentence == len(CUT)
    assert health.fits(len(raws), sampled=False)


def test_an_export_names_such_captions_and_may_leave_them_out() -> None:
    flags = left_by_shearing(health_in_mode_paper([*CUT, *WHOLE]).flag_array())
    facts = ColumnFacts(name="otter", present=np.ones(len(flags), bool), defects=flags)
    names = [str(each).split(",") for each in health_of(facts)]
    assert [CUT_WITHIN in each for each in names] == [True] * len(CUT) + [False] * len(WHOLE)
    judgement = judge(QualityFilter.parse(without=CUT_WITHIN), [facts])
    assert judgement.staying(0).tolist() == [False] * len(CUT) + [True] * len(WHOLE)
    assert judgement.left_out(0) == {CUT_WITHIN: len(CUT)}
