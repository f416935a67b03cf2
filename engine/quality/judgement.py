"""Which captions a `QualityFilter` leaves out, and why: a pure function of what is known of them.

A column is the captions of one model, or the originals; an array has an entry for each record of
the data set. 1 byte a caption is held for the verdict, and what the filters need: 2 bytes for
defects, and 8 for each score, for agreement and for the hash by which duplicates are found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.quality.defects import DEFECT_NAMES
from engine.quality.near_duplicates import find_near_duplicates
from engine.quality.quality_filter import (
    CONTRADICTED,
    CUT_WITHIN,
    RANDOM,
    REPEATS,
    UNSCORED,
    QualityFilter,
    ScoreBound,
)
from engine.quality.shard_health import CUT_WITHIN_SENTENCE, Flags, Hashes

STAYS, ABSENT = 0, 255
"""The verdicts of a caption that stays, and where there is none; others are the place of a reason,
counted from 1."""
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""The constants of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators"), which makes a random number of each record."""
UNCOMPARED = "with nothing to compare"
UNSUPPORTED = "with too little support by others"
"""Reasons for which captions are left out, beside `UNSCORED`, thresholds and the names of what is
wrong with them."""

REPEAT_BITS = dict(zip(REPEATS, (1 << 12, 1 << 11, 1 << 14), strict=True))
"""The bits beside those of `Flags` that say what is wrong with a caption beside others."""
HEALTH_BITS = {
    **{name: int(bit) for name, bit in DEFECT_NAMES.items()},
    **REPEAT_BITS,
    CUT_WITHIN: CUT_WITHIN_SENTENCE,
}
"""The bit of each of `FILTER_NAMES`, in their order."""

Where = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class ColumnFacts:
    """What is known of the captions of one column; arrays that no filter needs may be empty."""

    name: str
    present: Where
    """True where there is a caption that would be exported."""
    defects: Flags = field(default_factory=lambda: np.zeros(0, np.uint16))
    """The `Flags` of each caption, and once `mark_repeats` was called, `REPEAT_BITS`."""
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    """A hash of each text, 0 where there is none."""
    words: Sequence[str] = ()
    """The words of each text, joined by blanks, where near duplicates are searched."""
    scores: dict[str, Numbers] = field(default_factory=dict)
    """The scores by each scorer, NaN where there is none."""
    agreement: Numbers = field(default_factory=lambda: np.zeros(0))
    """How far the others support each caption, NaN where there is nothing to compare."""
    contradicted: Where = field(default_factory=lambda: np.zeros(0, bool))
    """True where the captions contradict the original."""


class Judgement:
    """The verdict on each caption, with its reason."""

    def __init__(self, columns: Sequence[ColumnFacts]) -> None:
        self.reasons: list[str] = []
        self.verdicts = [
            np.where(column.present, STAYS, ABSENT).astype(np.uint8) for column in columns
        ]
        """The verdicts on each column."""

    def leave_out(self, column: int, where: Where, reason: str) -> None:
        """Leave captions out for a reason, of those that still stay."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        verdicts = self.verdicts[column]
        verdicts[(verdicts == STAYS) & where] = self.reasons.index(reason) + 1

    def staying(self, column: int) -> Where:
        """Return where captions of a column stay."""
        stays: Where = self.verdicts[column] == STAYS
        return stays

    def left_out(self, column: int) -> dict[str, int]:
        """Return how many captions of a column are left out, by reason."""
        numbers = np.bincount(self.verdicts[column], minlength=len(self.reasons) + 1)
        return {
            reason: int(number)
            for reason, number in zip(self.reasons, numbers[1:], strict=False)
            if number
        }


def judge(
    quality: QualityFilter, models: Sequence[ColumnFacts], originals: ColumnFacts | None = None
) -> Judgement:
    """Return the verdicts on the originals, if they are given, and then on each model's captions.

    A caption that several filters leave out counts for the first of them, in the order in which
    they stand here. The filter is one of `QualityFilter.for_project`; the bits of `mark_repeats`
    are set where it needs them.
    """
    judgement = Judgement([*([originals] if originals else []), *models])
    if originals is not None:
        judge_originals(judgement, quality, originals)
    columns = list(enumerate(models, start=0 if originals is None else 1))
    for number, facts in columns:
        for name, bit in HEALTH_BITS.items():
            if name in quality.without:
                judgement.leave_out(number, facts.defects & bit != 0, name)
        for bound in quality.min_score:
            judgement.leave_out(number, np.isnan(facts.scores[str(bound.scorer)]), UNSCORED)
            leave_out_below(judgement, number, facts, bound)
        if quality.min_agree is not None:
            judgement.leave_out(number, np.isnan(facts.agreement), UNCOMPARED)
            judgement.leave_out(number, facts.agreement < quality.min_agree, UNSUPPORTED)
    if quality.by not in (None, RANDOM):
        for number, facts in columns:
            judgement.leave_out(number, np.isnan(facts.scores[quality.by]), UNSCORED)
    if quality.best is not None:
        leave_out_all_but_best(judgement, quality, columns)
    if quality.keep_share is not None:
        leave_out_all_but_share(judgement, quality, columns)
    return judgement


def judge_originals(judgement: Judgement, quality: QualityFilter, originals: ColumnFacts) -> None:
    """Leave out originals, which are the first column; one without a score is not below any."""
    if quality.drop_contradicted:
        judgement.leave_out(0, originals.contradicted, CONTRADICTED)
    if quality.original_min_score is not None:
        leave_out_below(judgement, 0, originals, quality.original_min_score)


def leave_out_below(
    judgement: Judgement, number: int, facts: ColumnFacts, bound: ScoreBound
) -> None:
    """Leave out the captions of a column whose score is below a bound."""
    reason = f"below {bound.value:g} by {bound.scorer}"
    judgement.leave_out(number, facts.scores[str(bound.scorer)] < bound.value, reason)


def mark_repeats(models: Sequence[ColumnFacts], names: Collection[str]) -> None:
    """Set the `REPEAT_BITS` of these names: of captions whose text is, or nearly is, that of an
    earlier caption of the model, or that of an earlier model."""
    for place, facts in enumerate(models):
        if "duplicates" in names:
            mark(facts, "duplicates", is_repeated(facts.hashes))
        if "near_duplicates" in names:
            mark(facts, "near_duplicates", is_near_duplicate(facts))
        for earlier in models[:place] if "same_as_other" in names else ():
            same = (facts.hashes == earlier.hashes) & (facts.hashes != 0)
            mark(facts, "same_as_other", same)


def mark(facts: ColumnFacts, name: str, where: Where) -> None:
    """Set the bit of a name."""
    facts.defects = facts.defects | where * np.uint16(REPEAT_BITS[name])


def is_repeated(hashes: Hashes) -> Where:
    """Return where a text is the same as an earlier one."""
    texts = np.flatnonzero(hashes)
    _, first = np.unique(hashes[texts], return_index=True)
    repeated: Where = hashes != 0
    repeated[texts[first]] = False
    return repeated


def is_near_duplicate(facts: ColumnFacts) -> Where:
    """Return where a text is a near duplicate of an earlier one, and not the same."""
    return find_near_duplicates(facts.words) & ~is_repeated(facts.hashes)


def leave_out_all_but_best(
    judgement: Judgement, quality: QualityFilter, columns: Sequence[tuple[int, ColumnFacts]]
) -> None:
    """Leave out the captions of each image that are not among the best; of equal scores, the
    earlier model's is the better one."""
    scores = np.stack([staying_scores(judgement, quality, *column) for column in columns])
    order = np.argsort(-scores, axis=0, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(columns))[:, None], axis=0)
    for (number, _), of_column in zip(columns, ranks, strict=True):
        judgement.leave_out(number, of_column >= quality.best, f"not among the best {quality.best}")


def leave_out_all_but_share(
    judgement: Judgement, quality: QualityFilter, columns: Sequence[tuple[int, ColumnFacts]]
) -> None:
    """Leave out what is not in the share of the staying captions of all columns together: those
    with the highest scores, or with the lowest random numbers, which also decide between equals.
    """
    scores = np.concatenate([staying_scores(judgement, quality, *column) for column in columns])
    drawn = np.concatenate(
        [random_numbers(quality.share_seed, facts.name, len(facts.present)) for _, facts in columns]
    )
    staying = int((scores > -np.inf).sum())
    kept = int(staying * (quality.keep_share or 1) + 0.5)
    left_out = np.ones(len(scores), bool)
    left_out[np.lexsort((drawn, -scores))[:kept]] = False
    parts = np.split(left_out, len(columns))
    for (number, _), of_column in zip(columns, parts, strict=True):
        judgement.leave_out(number, of_column, f"not in the share of {quality.keep_share:g}")


def staying_scores(
    judgement: Judgement, quality: QualityFilter, number: int, facts: ColumnFacts
) -> Numbers:
    """Return the scores of the captions that stay, all alike if it is drawn among them; those that
    do not stay have less than any."""
    staying = judgement.staying(number)
    scores = np.zeros(len(staying)) if quality.by == RANDOM else facts.scores[str(quality.by)]
    return np.where(staying, scores, -np.inf)


def random_numbers(seed: int, name: str, records: int) -> NDArray[np.uint64]:
    """Return a random number of each record: the same for the same seed, name and record."""
    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    start = np.uint64(int.from_bytes(digest, "little"))
    values = np.arange(1, records + 1, dtype=np.uint64) * GOLDEN + start
    values = (values ^ (values >> np.uint64(30))) * MIXERS[0]
    values = (values ^ (values >> np.uint64(27))) * MIXERS[1]
    return values ^ (values >> np.uint64(31))
