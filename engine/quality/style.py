"""The style of captions: how alike they are, and what they say that the original does not.

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

import msgspec

from engine.quality.words import NUMBER_WORDS, content_words, words_of

OPENING_WORDS = 3
"""Words of an opening, such as "the image shows"."""
COMMON_OPENINGS = 20
BLOCK = 1_000
"""Captions of which distinct-2 and the growth of the vocabulary are taken; the last block of fewer
is left out."""
BLOCKS = 10
"""Blocks, spread over the captions, of which the mean is taken."""
NAME = re.compile(r"[A-Z](?<=[\w,;)] [A-Z])[a-z]+\b")
"""A capitalised word that begins no sentence. The pattern begins with the capital, for which a text
is searched several times faster than for what stands before it."""
DIGITS = re.compile(r"\d\d*")
"""A number in digits; searched three times faster than `\\d+`."""
TITLE_SHARE = 0.6
"""Share of capitalised words from which on a text is a headline, whose capitals mark no names."""


class OriginalFacts(msgspec.Struct, frozen=True):
    """What an original caption says that can be kept or added to."""

    words: frozenset[str]
    names: frozenset[str]
    """Names, in lower case."""
    numbers: frozenset[str]
    """Numbers, in digits."""

    @classmethod
    def of(cls, text: str) -> OriginalFacts:
        """Return the facts of an original caption."""
        words = frozenset(words_of(text))
        names: frozenset[str] = frozenset()
        # The first test is true of most captions, and much faster than the pattern.
        if not text[1:].islower():
            found = NAME.findall(text)
            if len(found) < TITLE_SHARE * len(text.split()):
                names = frozenset(map(str.lower, found))
        return cls(words, names, numbers_in(words, text))


def numbers_in(words: frozenset[str], text: str) -> frozenset[str]:
    """Return the numbers of a text with these words, in digits; "one" is mostly no number."""
    numbers = frozenset(DIGITS.findall(text))
    if COUNTING_WORDS.isdisjoint(words):
        return numbers
    return numbers.union([NUMBER_WORDS[word] for word in words & COUNTING_WORDS])


COUNTING_WORDS = frozenset(NUMBER_WORDS) - {"one", "zero"}


class FactSums(msgspec.Struct):
    """Sums over captions that have an original."""

    compared: int = 0
    """Captions whose original has a word."""
    captions: int = 0
    """All captions, also those without an original."""
    words: int = 0
    """Their words."""
    content: int = 0
    """Distinct content words of each compared caption."""
    new: int = 0
    """Those that the original does not have."""
    names: int = 0
    """Names in the originals of compared captions."""
    names_kept: int = 0
    numbers: int = 0
    """Numbers in the originals of compared captions."""
    numbers_kept: int = 0

    def add(
        self, text: str, words: int, distinct: frozenset[str], original: OriginalFacts | None
    ) -> None:
        """Count a caption of so many words, with its distinct words and its original."""
        self.captions += 1
        self.words += words
        if original is None:
            return
        content = content_words(distinct)
        self.compared += 1
        self.content += len(content)
        self.new += len(content - original.words)
        if original.names:
            self.names += len(original.names)
            self.names_kept += len(original.names & distinct)
        if original.numbers:
            self.numbers += len(original.numbers)
            self.numbers_kept += len(original.numbers & numbers_in(distinct, text))

    def add_sums(self, other: FactSums) -> None:
        """Add the sums of other captions."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


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
    counts = Counter(" ".join(text.split(" ", OPENING_WORDS)[:OPENING_WORDS]) for text in captions)
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
