"""Which defects captions may have, told for many at once.

`DefectFinder` says which of them a caption has. It takes ten times as long, and is asked only for
what is not ruled out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.quality.clip_tokens import CONTEXT, MARKS, count_tokens
from engine.quality.defects import (
    BEYOND_CLIP,
    EMPTY,
    LEAK,
    LOOP,
    OF_THE_BEGINNING,
    OTHER_SCRIPT,
    REASONING,
    REFUSAL,
    TRUNCATED,
    DefectFinder,
    breaks_off,
)
from engine.quality.languages import MIN_LEAD, OTHER_FUNCTION_WORDS, SCRIPTS
from engine.quality.leaks import has_sign
from engine.quality.loops import is_loop_within, may_loop
from engine.quality.openings import may_begin_with
from engine.quality.refusals import LATER_WORDS
from engine.quality.vocabulary import Vocabulary, WordColumns, WordTable

LATER, LOOPING = 1, 2
"""Bits of a word: it is one of `LATER_WORDS`, or a loop."""

Defects = NDArray[np.uint16]
"""The bits of defects of each caption."""


class Caption(NamedTuple):
    """A caption of a shard."""

    i: int
    """The index of its record."""
    raw: str
    finish: str
    sheared: str


class Screen:
    """Tells which defects captions of one model may have, by the words of a vocabulary."""

    def __init__(self, finder: DefectFinder, vocabulary: Vocabulary) -> None:
        self.finder = finder
        others = OTHER_FUNCTION_WORDS.get(finder.language, frozenset())
        self.of_others = WordTable(vocabulary, others.__contains__)
        self.kinds = WordTable(vocabulary, kind_of)
        self.letters = WordTable(vocabulary, len)
        self.tokens = WordTable(vocabulary, tokens_in)

    def may_have(self, captions: Sequence[Caption], columns: WordColumns) -> Defects:
        """Return the bits of the defects that captions may have.

        `columns` are the words of their sheared texts.
        """
        kinds = np.bitwise_or.reduceat(self.kinds.look_up(columns.numbers), columns.starts)
        empty = columns.counts == 0
        masks = {
            EMPTY: empty,
            LOOP: empty | (kinds & LOOPING != 0) | self.repeat_much(columns),
            REFUSAL: kinds & LATER != 0,
            OTHER_SCRIPT: columns.count_distinct(self.of_others) >= MIN_LEAD,
        }
        if self.finder.wanted & BEYOND_CLIP:
            masks[BEYOND_CLIP] = self.are_long(captions, columns)
        found = np.fromiter(map(self.seen_in_texts, captions), np.uint16, len(captions))
        for bit, mask in masks.items():
            found[mask] |= bit
        return found & np.uint16(self.finder.wanted)

    def find(self, captions: Sequence[Caption], columns: WordColumns) -> list[int]:
        """Return the defects of captions, as bits.

        `columns` are the words of their sheared texts.
        """
        found = []
        for text, possible in enumerate(self.may_have(captions, columns).tolist()):
            defects = 0
            if possible:
                _, raw, finish, sheared = captions[text]
                words = columns.of(text)
                defects = self.finder.find(raw, finish, sheared, words, frozenset(words), possible)
            found.append(defects)
        return found

    def seen_in_texts(self, caption: Caption) -> int:
        """Return the bits of the defects that a caption may have by its raw and sheared texts."""
        _, raw, finish, sheared = caption
        begins = may_begin_with(raw)
        bits = begins & OF_THE_BEGINNING
        bits |= (begins if sheared == raw else may_begin_with(sheared)) & REFUSAL
        if bits & LEAK or has_sign(raw) or any([text in raw for text in self.finder.prompts]):
            bits |= LEAK | REASONING
        if finish == "length" or breaks_off(raw):
            bits |= TRUNCATED
        if self.finder.language in SCRIPTS or not sheared.isascii():
            bits |= OTHER_SCRIPT | BEYOND_CLIP
        return bits

    def repeat_much(self, columns: WordColumns) -> NDArray[np.bool_]:
        """Return for each text what `may_loop` says of it."""
        content = columns.vocabulary.content
        found: NDArray[np.bool_] = may_loop(
            columns.counts,
            columns.counts - np.bincount(columns.distinct[0], minlength=len(columns.counts)),
            columns.sums(content.look_up(columns.numbers)) - columns.count_distinct(content),
        )
        return found

    def are_long(self, captions: Sequence[Caption], columns: WordColumns) -> NDArray[np.bool_]:
        """Return which texts may have more tokens than CLIP reads, if they are in ASCII.

        Each word has its tokens, and each other character is one at most. An apostrophe may cut a
        word.
        """
        lengths = np.array([len(caption.sheared) for caption in captions])
        found: NDArray[np.bool_] = lengths > CONTEXT - MARKS
        if found.any():
            letters = columns.sums(self.letters.look_up(columns.numbers))
            tokens = columns.sums(self.tokens.look_up(columns.numbers))
            many = tokens + lengths - letters > CONTEXT - MARKS
            for text in np.flatnonzero(found).tolist():
                found[text] = many[text] or "'" in captions[text].sheared
        return found


def kind_of(word: str) -> int:
    """Return the bits of a word."""
    return LATER * (word in LATER_WORDS) | LOOPING * is_loop_within(word)


def tokens_in(word: str) -> int:
    """Return the number of CLIP's tokens of a word."""
    return count_tokens(word) - MARKS
