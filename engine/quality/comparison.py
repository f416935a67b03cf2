"""The captions of a shard beside each other: how far they agree, and their scores.

The numbers of single records are kept for the worst captions to be found; sums of them are what the
quality of a model is put together from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

ORIGINAL = "original"
"""The name under which the original captions stand beside the models."""
SCORE_BINS = 200
"""Bins of a histogram of scores, which lie between `LOWEST` and 1: each is a hundredth."""
LOWEST = -1.0

Numbers = NDArray[np.float32]
"""A number of each record, NaN where there is none."""
NUMBER = np.dtype("<f4")


class ShardComparison(msgspec.Struct):
    """`Numbers` of each record of a shard, as bytes (`pack`), by the name of the model."""

    support: dict[str, bytes]
    """How far the captions of the others support a model's, or the originals (`ORIGINAL`); empty if
    no two models were compared."""
    raw_support: dict[str, bytes]
    """The same before shearing; empty unless the shard is in the sample."""
    contradicted: list[int]
    """The indices of originals that the captions contradict."""
    raw_scores: dict[str, dict[str, bytes]]
    """The scores of raw captions by each scorer, and of the originals (`ORIGINAL`)."""
    sheared_scores: dict[str, dict[str, bytes]]
    """The same of sheared captions."""

    def fits(self, records: int) -> bool:
        """Return True if this can be the comparison of a shard of so many records."""
        scores = chain(self.raw_scores.values(), self.sheared_scores.values())
        support = chain(self.support.values(), self.raw_support.values())
        values = chain(support, *(by_name.values() for by_name in scores))
        return {len(each) for each in values} <= {records * NUMBER.itemsize} and all(
            0 <= i < records for i in self.contradicted
        )


def pack(values: Sequence[float | None]) -> bytes:
    """Return numbers as bytes; None is NaN."""
    return np.array(values, NUMBER).tobytes()


def unpack(data: bytes) -> Numbers:
    """Return the numbers that `pack` made bytes of."""
    return np.frombuffer(data, NUMBER)


@dataclass(slots=True)
class BetterCount:
    """In how many records a caption has a higher number than the original."""

    better: int = 0
    compared: int = 0

    def add(self, own: Numbers, originals: Numbers) -> None:
        """Count the records of a shard that have both numbers."""
        both = ~np.isnan(own) & ~np.isnan(originals)
        self.compared += int(both.sum())
        self.better += int((own[both] > originals[both]).sum())

    def add_count(self, other: BetterCount) -> None:
        """Add the count of other records."""
        self.better += other.better
        self.compared += other.compared

    @property
    def share(self) -> float | None:
        """The share of the records; None if none has both numbers."""
        return self.better / self.compared if self.compared else None


@dataclass(slots=True)
class NumberSums:
    """The sum of numbers, and a histogram of them."""

    total: float = 0.0
    count: int = 0
    bins: list[int] = field(default_factory=lambda: [0] * SCORE_BINS)

    def add(self, numbers: Numbers) -> None:
        """Count the numbers of a shard."""
        known = numbers[~np.isnan(numbers)]
        self.total += float(known.sum(dtype=np.float64))
        self.count += len(known)
        places = ((known - LOWEST) * (SCORE_BINS / (1 - LOWEST))).astype(int)
        added = np.bincount(places.clip(0, SCORE_BINS - 1), minlength=SCORE_BINS)
        self.bins = (np.array(self.bins) + added).tolist()

    def add_sums(self, other: NumberSums) -> None:
        """Add the sums of other numbers."""
        self.total += other.total
        self.count += other.count
        self.bins = [ours + theirs for ours, theirs in zip(self.bins, other.bins, strict=True)]

    @property
    def mean(self) -> float | None:
        """The mean; None if there are no numbers."""
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class ScoreSums:
    """The scores of a model's captions by one scorer."""

    raw: NumberSums = field(default_factory=NumberSums)
    sheared: NumberSums = field(default_factory=NumberSums)
    beats: BetterCount = field(default_factory=BetterCount)

    def add_sums(self, other: ScoreSums) -> None:
        """Add the scores of other captions."""
        self.raw.add_sums(other.raw)
        self.sheared.add_sums(other.sheared)
        self.beats.add_count(other.beats)


@dataclass(slots=True, kw_only=True)
class ComparisonSums:
    """What there is to say of the captions of one model, or of the originals, beside others."""

    support: NumberSums = field(default_factory=NumberSums)
    raw_support: NumberSums = field(default_factory=NumberSums)
    """The same before shearing, in the sample."""
    sampled_support: NumberSums = field(default_factory=NumberSums)
    """The support of sheared captions in the sample, which `raw_support` is compared with."""
    agrees_better: BetterCount = field(default_factory=BetterCount)
    scores: dict[str, ScoreSums] = field(default_factory=dict)
    """By the name of the scorer."""
    contradicted: int = 0
    """The number of originals that the captions contradict."""
    first_contradicted: int | None = None
    """The index of the first of them, if these are the sums of one shard."""

    @classmethod
    def of(cls, shard: ShardComparison, name: str) -> Self:
        """Return the sums over the captions of a shard that have this name."""
        sums = cls()
        if name in shard.support:
            support = unpack(shard.support[name])
            sums.support.add(support)
            if name in shard.raw_support:
                sums.raw_support.add(unpack(shard.raw_support[name]))
                sums.sampled_support.add(support)
            if name != ORIGINAL:
                sums.agrees_better.add(support, unpack(shard.support[ORIGINAL]))
            elif shard.contradicted:
                sums.contradicted = len(shard.contradicted)
                sums.first_contradicted = shard.contradicted[0]
        for scorer, raw_scores in shard.raw_scores.items():
            sheared_scores = shard.sheared_scores[scorer]
            if name in raw_scores and name in sheared_scores:
                of_scorer = sums.scores[scorer] = ScoreSums()
                sheared = unpack(sheared_scores[name])
                of_scorer.raw.add(unpack(raw_scores[name]))
                of_scorer.sheared.add(sheared)
                if name != ORIGINAL:
                    of_scorer.beats.add(sheared, unpack(raw_scores[ORIGINAL]))
        return sums

    @classmethod
    def total(cls, shards: Iterable[ComparisonSums]) -> Self:
        """Return the sums of several shards together."""
        total = cls()
        for shard in shards:
            total.support.add_sums(shard.support)
            total.raw_support.add_sums(shard.raw_support)
            total.sampled_support.add_sums(shard.sampled_support)
            total.agrees_better.add_count(shard.agrees_better)
            total.contradicted += shard.contradicted
            for scorer, sums in shard.scores.items():
                total.scores.setdefault(scorer, ScoreSums()).add_sums(sums)
        return total


def lowest_places(numbers: Sequence[Numbers], limit: int) -> list[tuple[int, int]]:
    """Return where the lowest numbers are, the lowest first: position of a shard, index there."""
    found: list[tuple[float, int, int]] = []
    for number, of_shard in enumerate(numbers):
        indices = np.argsort(of_shard, kind="stable")[:limit]  # NaN comes last
        found += (
            (float(of_shard[i]), number, int(i)) for i in indices if of_shard[i] == of_shard[i]
        )
        found = sorted(found)[:limit]
    return [(number, i) for _, number, i in found]
