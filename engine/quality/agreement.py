"""Agreement: which captions of an image the others support, without knowing what is in the image.

Several models are unlikely to invent the same. What a caption states are its content words, the
kinds of things that they name, and its pairs of neighbouring content words ("red circle" next to
"blue star" is not "blue circle"). Other captions support a caption if they state the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from engine.quality.original_verdict import OriginalVerdict, judge_original
from engine.quality.word_kinds import KINDS_OF, stem_of
from engine.quality.words import words_of

MISSING_WEIGHT = 0.75
"""Weight in the support of what the others state and the caption does not, beside 0.25 of what
the caption states and they do not: a caption may say more than others, but hardly leave out what
all of them see. Chosen on captions of scenes: 0.5 to 0.9 are as good within 0.05 of AUROC."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the captions of one image agree."""

    support: dict[str, float | None]
    """How far the others support the caption of each model, from 0 to 1; None where there is
    nothing to compare: no other caption, or no words."""
    original: OriginalVerdict | None
    """What the captions say of the original; None where there is nothing to compare."""
    original_support: float | None
    """The support of the original by the captions, a number as theirs, though it is shorter."""


class Statements(NamedTuple):
    """What a caption states."""

    stems: list[str]
    """The stems of its content words, in their order."""
    all: set[str]
    """These stems, the kinds of things that they name, and pairs of neighbouring stems."""


def agreement_of(original: str | None, captions: Mapping[str, str]) -> Agreement:
    """Return the agreement between the sheared captions of one image, by the name of their model.

    `original` is the original caption, None if the image has none. Two captions at least are needed
    to say anything.
    """
    support: dict[str, float | None] = dict.fromkeys(captions)
    stated = {model: found for model, text in captions.items() if (found := statements(text)).all}
    if len(stated) < 2:
        return Agreement(support, None, None)
    votes = Counter[str]()
    for each in stated.values():
        votes.update(each.all)
    squares = sum([count * count for count in votes.values()])
    supports = [
        support_of([votes[one] for one in each.all], squares, len(stated) - 1)
        for each in stated.values()
    ]
    support.update(zip(stated, supports, strict=True))
    if not original or not (own := statements(original)).stems:
        return Agreement(support, None, None)
    counts = [votes[one] + 1 for one in own.all]
    with_original = squares + sum([2 * count - 1 for count in counts])
    verdict = judge_original(original, own.stems, votes, len(stated)) if any(supports) else None
    return Agreement(support, verdict, support_of(counts, with_original, len(stated)))


def statements(text: str) -> Statements:
    """Return what a caption states."""
    stems = [stem for word in words_of(text) if (stem := stem_of(word))]
    found = set(stems)
    for stem in found & KINDS_OF.keys():
        found.update(KINDS_OF[stem])
    found.update(map(" ".join, pairwise(stems)))
    return Statements(stems, found)


def support_of(counts: Sequence[int], squares: int, others: int) -> float:
    """Return the support of a caption by so many others.

    `counts` has how many captions make each of its statements, itself among them; `squares` is the
    sum of the squared counts of all statements. Of what the others state, a statement weighs by the
    square of their number, since what two of three say counts more than what is one's own.
    """
    own = len(counts)
    shared = sum(counts) - own
    found = sum([(count - 1) * (count - 1) for count in counts])
    # A statement of this caption has (count - 1)² among the others, in place of count².
    of_others = squares - 2 * shared - own
    return MISSING_WEIGHT * found / of_others + (1 - MISSING_WEIGHT) * shared / (own * others)
