"""The captions of a shard beside each other: sums, and the lowest numbers."""

from __future__ import annotations

import numpy as np
import pytest

from engine.quality.comparison import (
    ORIGINAL,
    SCORE_BINS,
    ComparisonSums,
    ShardComparison,
    lowest_places,
    pack,
    unpack,
)

SHARD = ShardComparison(
    support={"a": pack([0.5, None, 1.0]), ORIGINAL: pack([0.25, 0.5, 1.0])},
    raw_support={},
    contradicted=[1],
    raw_scores={"clip": {ORIGINAL: pack([0.3, None, 0.1]), "a": pack([0.1, 0.2, 0.2])}},
    sheared_scores={"clip": {ORIGINAL: pack([0.3, None, 0.1]), "a": pack([0.2, 0.9, 0.4])}},
)


def test_numbers_of_records_are_kept_with_their_gaps() -> None:
    assert np.isnan(unpack(pack([None, 0.5]))).tolist() == [True, False]
    assert SHARD.fits(3)
    assert not SHARD.fits(4)


def test_the_sums_of_a_model() -> None:
    sums = ComparisonSums.of(SHARD, "a")
    assert sums.support.mean == pytest.approx(0.75)
    assert (sums.agrees_better.better, sums.agrees_better.compared) == (1, 2)
    clip = sums.scores["clip"]
    assert clip.raw.mean == pytest.approx(0.5 / 3)
    assert clip.sheared.mean == pytest.approx(0.5)
    assert clip.beats.share == pytest.approx(1 / 2), "the second original has no score"
    assert sum(clip.sheared.bins) == 3
    assert clip.sheared.bins[int(1.9 * SCORE_BINS / 2)] == 1, "0.9, from -1"


def test_originals_are_beside_nothing() -> None:
    sums = ComparisonSums.of(SHARD, ORIGINAL)
    assert (sums.contradicted, sums.first_contradicted) == (1, 1)
    assert sums.scores["clip"].beats.share is None
    assert sums.agrees_better.share is None


def test_sums_of_shards_add_up() -> None:
    total = ComparisonSums.total([ComparisonSums.of(SHARD, "a")] * 2)
    assert total.support.count == 4
    assert total.scores["clip"].beats.compared == 4
    assert sum(total.scores["clip"].raw.bins) == 6
    assert ComparisonSums.total([]).support.mean is None


def test_the_lowest_come_first_whatever_their_shard() -> None:
    shards = [unpack(pack([0.5, None, 0.1])), unpack(b""), unpack(pack([0.3, 0.1]))]
    assert lowest_places(shards, 3) == [(0, 2), (2, 1), (2, 0)]
    assert lowest_places(shards, 9)[-1] == (0, 0), "a record without a number is not among them"
