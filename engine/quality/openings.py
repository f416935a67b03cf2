"""What a text may begin with, told by its first words.

Most captions begin like many others. So their first words are compared with each pattern once, by
`regex`, which tells whether a text that begins so may match ("partial matching").
"""

from __future__ import annotations

from functools import lru_cache

import regex

from engine.quality.defect_names import Defect
from engine.quality.leaks import START
from engine.quality.words import head_of
from engine.shearing.lead_ins import LEAD_IN

PATTERNS = {
    int(Defect.LEAK | Defect.REASONING): regex.compile(START.pattern),
    int(Defect.LEAD_IN): regex.compile(LEAD_IN.pattern),
}
"""Patterns of the beginning of a text in small letters, by the bits of their defects."""
ALL = sum(PATTERNS)
MOST, ALL_BUT_FEW = 2, 6
"""Words by which most beginnings, and nearly all, are told from those that the patterns find."""


def may_begin_with(text: str) -> int:
    """Return the bits of the defects with which a text may begin."""
    bits = may_follow_on(first_words(text, MOST))
    return may_follow_on(first_words(text, ALL_BUT_FEW)) if bits else 0


def first_words(text: str, count: int) -> str:
    """Return the first words of a text, by the blanks behind them; nothing if it has no more."""
    end = -1
    for _ in range(count):
        end = text.find(" ", end + 1)
        if end < 0:
            return ""
    return text[:end]


@lru_cache(maxsize=1 << 15)
def may_follow_on(beginning: str) -> int:
    """Return the bits of the defects that a text may have that begins with these words.

    Behind them there is a blank, which is left out: `regex` takes the end of a text for that of a
    word, but not for the beginning of one.
    """
    if not beginning:
        return ALL
    # With fewer words, which are known mostly, many patterns are ruled out.
    bits = may_follow_on(beginning[: max(0, beginning.rfind(" "))])
    head = head_of(beginning)
    return sum(
        each
        for each, pattern in PATTERNS.items()
        if bits & each and pattern.match(head, partial=True) is not None
    )
