"""Agreement: which captions of an image the others support, without knowing what is in the image.

Several models are unlikely to invent the same. What a caption states are its content words, the
kinds of things that they name, and its pairs of neighbouring content words ("red circle" next to
"blue star" is not "blue circle"). Other captions support a caption if they state the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from engine.quality.facts import names_of
from engine.quality.word_kinds import KINDS_OF, stem_of
from engine.quality.words import words_of

OriginalVerdict = Literal["contradicted", "supported"]
"""What the captions of the models say of the original caption."""
MISSING_WEIGHT = 0.75
"""Weight in the support of what the others state and the caption does not, beside 0.25 of what
the caption states and they do not: a caption may say more than others, but hardly leave out what
all of them see. Chosen on captions of scenes: 0.5 to 0.9 are as good within 0.05 of AUROC."""
COMMON_POWER = 1.8
"""An original is contradicted below this power of the share of words that captions have in common.
If they say all the same, it must say nothing else; the power makes it rare if captions say
different things of an image. A lower power finds more wrong originals, and contradicts more right
ones of photographs (docs/quality.md)."""
MIN_WEIGHT = 0.8
"""Share of the mean support of captions from which on a caption's words count against an original,
or for it."""

PUNCTUATION = re.compile(r"[^\w\s]+")


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
    own = statements(original or "")
    if not own.stems:
        return Agreement(support, None, None)
    counts = [votes[one] + 1 for one in own.all]
    with_original = squares + sum([2 * count - 1 for count in counts])
    return Agreement(
        support,
        judge_original(original or "", list(stated.values()), supports, votes),
        support_of(counts, with_original, len(stated)),
    )


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


def judge_original(
    original: str,
    captions: Sequence[Statements],
    supports: Sequence[float],
    votes: Mapping[str, int],
) -> OriginalVerdict | None:
    """Return whether the captions, which have these supports, support the original.

    A caption speaks with the weight of its support, so that one that is alone says little. The
    share of the original's words that are said is compared with the share of the captions' own
    words that several have (`votes` by the statement): the more they say the same, the more is
    missing in the image if they do not name it. Two words that are said, but not next to each other
    ("blue circle"), count as one. Captions that have nothing in common say nothing.
    """
    total = sum(supports)
    if not total:
        return None
    enough = MIN_WEIGHT * total / len(supports)
    weighed = [(each.all, support) for each, support in zip(captions, supports, strict=True)]

    def is_said(statement: str) -> bool:
        return sum([support for said, support in weighed if statement in said]) >= enough

    parts = [list(map(stem_of, words_of(part))) for part in PUNCTUATION.split(original)]
    stems = {stem for part in parts for stem in part if stem}
    known = set(filter(is_said, stems))
    if known != stems:
        stems -= set(map(stem_of, names_of(original))) - known  # cannot be seen
    if not stems:
        return None
    apart = [
        1
        for part in parts
        for first, second in pairwise(part)
        if first in known and second in known and not is_said(f"{first} {second}")
    ]
    share = (len(known) - len(apart)) / len(stems)
    common = sum(
        [
            support * sum([votes[stem] > 1 for stem in each.stems]) / len(each.stems)
            for each, support in zip(captions, supports, strict=True)
        ]
    )
    needed = min(1.0, common / total) ** COMMON_POWER
    return "supported" if share > 0 and share >= needed else "contradicted"
