"""The style of captions: how alike they are.

distinct-n is that of Li et al. 2016 (arXiv 1510.03055). Since it falls with the number of texts, it
is taken of a fixed number of captions here, so that models and projects can be compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from statistics import fmean

OPENING = re.compile(r"\S+(?: \S+){0,2}")
"""The opening of a caption, such as "the image shows"."""
COMMON_OPENINGS = 20
BLOCK = 1_000
"""Captions of which distinct-2 and the growth of the vocabulary are taken; the last block of fewer
is left out."""
BLOCKS = 10
"""Blocks, spread over the captions, of which the mean is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How alike captions are; None where there are too few of them."""

    common_openings: float | None
    """Share of the captions that begin with one of their 20 commonest openings."""
    openings: tuple[tuple[str, int], ...]
    """These openings and how often each occurs."""
    distinct_2: float | None
    """Distinct pairs of neighbouring words by all, in a thousand captions; the mean."""
    vocabulary: float | None
    """Distinct words in a thousand captions; the mean."""
    vocabulary_growth: float | None
    """By how much the vocabulary of a thousand captions exceeds that of their first half; the mean
    of the ratios."""


def style_of(texts: Sequence[str]) -> Style:
    """Return the style of captions, each the words (`words_of`), joined by blanks."""
    captions = [text for text in texts if text]
    counts = Counter(found[0] for found in map(OPENING.match, captions) if found is not None)
    common = tuple(counts.most_common(COMMON_OPENINGS))
    ends = range(BLOCK, len(captions) + 1, BLOCK)
    step = max(1, len(ends) // BLOCKS)
    blocks = [
        [text.split() for text in captions[end - BLOCK : end]] for end in ends[::step][:BLOCKS]
    ]
    firsts = [set[str]().union(*block[: BLOCK // 2]) for block in blocks]
    halves = list(map(len, firsts))
    vocabularies = [
        len(first.union(*block[BLOCK // 2 :])) for first, block in zip(firsts, blocks, strict=True)
    ]
    growths = [full / half for full, half in zip(vocabularies, halves, strict=True)]
    return Style(
        common_openings=sum(count for _, count in common) / len(captions) if captions else None,
        openings=common,
        distinct_2=fmean(map(distinct_2, blocks)) if blocks else None,
        vocabulary=fmean(vocabularies) if blocks else None,
        vocabulary_growth=fmean(growths) if blocks else None,
    )


def distinct_2(captions: Sequence[Sequence[str]]) -> float:
    """Return the distinct pairs of neighbouring words, by all pairs; 0 if there are none."""
    pairs = list(chain.from_iterable(map(pairwise, captions)))
    return len(set(pairs)) / len(pairs) if pairs else 0.0
