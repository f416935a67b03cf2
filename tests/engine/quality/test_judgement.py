"""Which captions filters by quality leave out, beside a plain count of the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quality.defects import Defect
from engine.quality.judgement import (
    ABSENT,
    HEALTH_BITS,
    STAYS,
    ColumnFacts,
    Judgement,
    judge,
    mark_repeats,
)
from engine.quality.quality_filter import REPEATS, QualityFilter, ScoreBound
from engine.quality.shard_health import COUNTED, NO_LEAD_IN_LEFT

NAN = math.nan
Scores = Sequence[float | None]
"""A score of each record's caption: NaN where there is none, None where there is no caption."""


def column(name: str, scores: Scores) -> ColumnFacts:
    return ColumnFacts(
        name=name,
        present=np.array([score is not None for score in scores], bool),
        scores={"clip": np.array([NAN if score is None else score for score in scores])},
    )


def facts(name: str, texts: Sequence[str], defects: Sequence[int] = ()) -> ColumnFacts:
    return ColumnFacts(
        name=name,
        present=np.array([text != "" for text in texts]),
        defects=np.array(defects or [0] * len(texts), np.uint16),
        hashes=np.array([hash(text) & 0xFFFFFFFF if text else 0 for text in texts], np.uint64),
        words=texts,
    )


def why(judgement: Judgement) -> list[list[str]]:
    """Return for each column and record why it is left out; "" if it stays, "-" if it is absent."""
    words = {STAYS: "", ABSENT: "-"}
    words |= {place: reason for place, reason in enumerate(judgement.reasons, start=1)}
    return [[words[code] for code in verdicts.tolist()] for verdicts in judgement.verdicts]


def test_a_caption_counts_for_the_first_of_its_defects() -> None:
    both = Defect.LOOP | Defect.LEAK
    one = facts("one", ["a", "b", "", "d"], [both, Defect.LEAK, both, Defect.EMPTY])
    judgement = judge(QualityFilter(without=("leaks", "loops")), [one])
    assert why(judgement) == [["loops", "leaks", "-", ""]]
    assert judgement.left_out(0) == {"loops": 1, "leaks": 1}


def test_of_the_same_texts_the_first_stays() -> None:
    one, two = facts("one", ["a", "b", "a", "a", ""]), facts("two", ["c", "b", "a", "d", ""])
    names = ("duplicates", "same_as_other")
    mark_repeats([one, two], names)
    judgement = judge(QualityFilter(without=names), [one, two])
    assert why(judgement) == [
        ["", "", "duplicates", "duplicates", "-"],
        ["", "same_as_other", "same_as_other", "", "-"],
    ]


def test_near_duplicates_are_no_duplicates() -> None:
    text = "a dog and a cat sit on the old red mat near the door"
    one = facts("one", [text, text, f"{text} now", "a bird"])
    names = ("near_duplicates",)
    mark_repeats([one], names)
    assert why(judge(QualityFilter(without=names), [one])) == [["", "", "near_duplicates", ""]]


def test_no_two_flags_have_the_same_bit() -> None:
    bits = [*HEALTH_BITS.values(), COUNTED, NO_LEAD_IN_LEFT]
    assert sum(bits) == np.bitwise_or.reduce(bits) < 1 << 16


def test_what_shearing_cut_makes_no_repeat() -> None:
    flags = Defect.LEAD_IN | NO_LEAD_IN_LEFT | COUNTED
    one = facts("one", ["a cat", "a dog"], [COUNTED, flags])
    mark_repeats([one], REPEATS)
    assert why(judge(QualityFilter(without=REPEATS), [one])) == [["", ""]]


def test_scores_and_their_absence() -> None:
    one = column("one", [0.3, 0.1, NAN, None])
    quality = QualityFilter(min_score=(ScoreBound("clip", 0.3),))
    assert why(judge(quality, [one])) == [["", "below 0.3 by clip", "not scored yet", "-"]]


def test_an_original_without_a_score_is_below_none() -> None:
    original, one = column("original", [0.1, NAN, 0.3]), column("one", [0.1, 0.1, 0.1])
    original.contradicted = np.array([True, False, True])
    quality = QualityFilter(drop_contradicted=True, original_min_score=ScoreBound("clip", 0.2))
    judgement = judge(quality, [one], original)
    assert why(judgement) == [["contradicted", "", "contradicted"], ["", "", ""]]
    quality = QualityFilter(original_min_score=ScoreBound("clip", 0.2))
    assert why(judge(quality, [one], original))[0] == ["below 0.2 by clip", "", ""]


def test_agreement_and_its_absence() -> None:
    one = column("one", [0, 0, 0, None])
    one.agreement = np.array([0.5, 0.4, NAN, NAN])
    judgement = judge(QualityFilter(min_agree=0.5), [one])
    assert why(judgement) == [
        ["", "with too little support by others", "with nothing to compare", "-"]
    ]


def test_of_equal_scores_the_earlier_model_is_the_better() -> None:
    models = [column("one", [0.1, 0.2]), column("two", [0.3, 0.2]), column("three", [0.3, NAN])]
    judgement = judge(QualityFilter(best=1, by="clip"), models)
    rest = "not among the best 1"
    assert why(judgement) == [[rest, ""], ["", rest], [rest, "not scored yet"]]


@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
def test_a_share_is_of_what_the_other_filters_leave(share: float) -> None:
    rng = np.random.default_rng(0)
    models = [column(name, rng.random(50).tolist()) for name in ("one", "two")]
    quality = QualityFilter(min_score=(ScoreBound("clip", 0.5),), keep_share=share, by="clip")
    judgement = judge(quality, models)
    scores = np.concatenate([model.scores["clip"] for model in models])
    stays = np.concatenate([judgement.staying(0), judgement.staying(1)])
    expected = sorted(scores[scores >= 0.5])[::-1][: int((scores >= 0.5).sum() * share + 0.5)]
    assert sorted(scores[stays])[::-1] == expected


def test_what_is_drawn_depends_on_seed_name_and_record_alone() -> None:
    def drawn(seed: int, *names: str, records: int = 1000) -> list[list[bool]]:
        models = [column(name, [0.0] * records) for name in names]
        quality = QualityFilter(keep_share=0.5, by="random", share_seed=seed)
        judgement = judge(quality, models)
        return [judgement.staying(number).tolist() for number in range(len(names))]

    (one,) = drawn(0, "one")
    assert sum(one) == 500
    assert drawn(0, "one") == [one]
    assert 400 < sum(a == b for a, b in zip(one, drawn(1, "one")[0], strict=True)) < 600
    assert 400 < sum(a == b for a, b in zip(one, drawn(0, "two")[0], strict=True)) < 600
    assert sum(map(sum, drawn(0, "one", "two", records=25))) == 25


SCORES = st.sampled_from([None, NAN, 0.0, 0.25, 0.5, 0.75])


@given(
    st.integers(1, 6).flatmap(
        lambda records: st.lists(
            st.lists(SCORES, min_size=records, max_size=records), min_size=1, max_size=4
        )
    ),
    st.integers(1, 4),
    st.sampled_from([0.25, 0.5]),
)
def test_a_plain_count_finds_the_same(table: list[Scores], best: int, least: float) -> None:
    models = [column(f"m{number}", scores) for number, scores in enumerate(table)]
    quality = QualityFilter(min_score=(ScoreBound("clip", least),), best=best, by="clip")
    found = [judge(quality, models).staying(number).tolist() for number in range(len(models))]
    for record in range(len(table[0])):
        ranked = sorted(
            (-score, model)
            for model, scores in enumerate(table)
            if (score := scores[record]) is not None and score >= least
        )
        expected = {model for _, model in ranked[:best]}
        assert {model for model, stays in enumerate(found) if stays[record]} == expected
