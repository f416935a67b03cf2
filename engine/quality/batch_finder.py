"""Finding the defects of many captions at once.

Numpy tells which defects each of them may have. `DefectFinder`, which takes ten times as long, then
looks for those alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.quality.characters import Characters, Mask
from engine.quality.clip_tokens import CONTEXT, MARKS, count_tokens
from engine.quality.defects import (
    BEYOND_CLIP,
    EMPTY,
    LEAK,
    LOOP,
    OTHER_SCRIPT,
    REASONING,
    REFUSAL,
    TRUNCATED,
    DefectFinder,
    breaks_off,
)
from engine.quality.languages import MIN_LEAD, OTHER_FUNCTION_WORDS, SCRIPTS
from engine.quality.leaks import SIGN_BYTES
from engine.quality.loops import is_loop_within, may_hold_marks, may_loop
from engine.quality.openings import may_begin_with
from engine.quality.placeholders import PLACEHOLDER_WORDS
from engine.quality.refusal_words import WEAK_CUES
from engine.quality.refusals import ANY_CUE, FEW_WORDS
from engine.quality.vocabulary import Numbers, Vocabulary, WordColumns, WordTable

CUE, WEAK_CUE, LOOPING, OF_PLACEHOLDER = 1, 2, 4, 8
"""Bits of a word: it is a cue of a refusal (`refusals.py`), a loop, or one of
`PLACEHOLDER_WORDS`."""

Defects = NDArray[np.uint16]
"""The bits of defects of each caption."""


class Caption(NamedTuple):
    """A caption of a shard."""

    i: int
    """The index of its record."""
    raw: str
    finish: str
    sheared: str


class BatchFinder:
    """Finds the defects of captions of one model, by the words of a vocabulary."""

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
        raws = [caption.raw for caption in captions]
        characters = Characters(raws)
        not_ascii = np.array([not caption.sheared.isascii() for caption in captions], bool)
        each_kind = self.kinds.look_up(columns.numbers)
        kinds = np.bitwise_or.reduceat(each_kind, columns.starts)
        placeholders = columns.sums(each_kind & OF_PLACEHOLDER) == OF_PLACEHOLDER * columns.counts
        lengths = np.array([len(caption.sheared) for caption in captions], np.int64)
        letters = columns.sums(self.letters.look_up(columns.numbers))
        empty = columns.counts == 0
        few_words = columns.counts_of_distinct <= FEW_WORDS
        masks = {
            TRUNCATED: self.are_cut(captions, characters),
            LEAK | REASONING: characters.hold(SIGN_BYTES) | self.hold_prompts(raws),
            EMPTY: empty | placeholders,
            LOOP: not_ascii
            | may_hold_marks(lengths, letters, columns.counts)
            | (kinds & LOOPING != 0)
            | self.repeat_much(columns),
            REFUSAL: (kinds & CUE != 0) | (few_words & (kinds & WEAK_CUE != 0)),
            OTHER_SCRIPT: not_ascii | self.are_of_others(columns),
        }
        if self.finder.wanted & BEYOND_CLIP:
            masks[BEYOND_CLIP] = not_ascii | self.are_long(captions, columns, lengths - letters)
        found = np.fromiter(map(may_begin_with, raws), np.uint16, len(raws))
        for bits, mask in masks.items():
            found[mask] |= bits
        return found & np.uint16(self.finder.wanted)

    def find(self, captions: Sequence[Caption], columns: WordColumns) -> list[int]:
        """Return the defects of captions, as bits.

        `columns` are the words of their sheared texts.
        """
        possible = self.may_have(captions, columns)
        found = [0] * len(captions)
        for text in np.flatnonzero(possible).tolist():
            _, raw, finish, sheared = captions[text]
            words, bits = columns.of(text), int(possible[text])
            found[text] = self.finder.find(raw, finish, sheared, words, frozenset(words), bits)
        return found

    def are_cut(self, captions: Sequence[Caption], raws: Characters) -> Mask:
        """Return which raw texts end within a sentence, or at the cap on new tokens."""
        cut = np.array([caption.finish == "length" for caption in captions], bool)
        for text in np.flatnonzero(~(raws.end_with(".") | cut)).tolist():
            cut[text] = breaks_off(captions[text].raw)
        return cut

    def hold_prompts(self, raws: Sequence[str]) -> Mask:
        """Return which raw texts may hold the model's prompt; mostly none of them does."""
        everything = "\0".join(raws)
        held = any(prompt in everything for prompt in self.finder.prompts)
        return np.full(len(raws), held)

    def are_of_others(self, columns: WordColumns) -> Mask:
        """Return which texts may be in another language than was asked for."""
        if self.finder.language in SCRIPTS:
            return np.full(len(columns.counts), True)
        found: Mask = columns.count_distinct(self.of_others) >= MIN_LEAD
        return found

    def repeat_much(self, columns: WordColumns) -> Mask:
        """Return for each text what `may_loop` says of it."""
        content = columns.vocabulary.content
        doubled = np.append(columns.numbers[1:] == columns.numbers[:-1], False)
        found: Mask = may_loop(
            columns.counts,
            columns.counts - columns.counts_of_distinct,
            columns.sums(content.look_up(columns.numbers)) - columns.count_distinct(content),
            columns.sums(doubled.astype(np.int64)),
        )
        return found

    def are_long(self, captions: Sequence[Caption], columns: WordColumns, others: Numbers) -> Mask:
        """Return which texts may have more tokens than CLIP reads, if they are in ASCII.

        Each word has its tokens, and each of the `others`, the characters beside the words, is one
        at most. An apostrophe may cut a word.
        """
        tokens = columns.sums(self.tokens.look_up(columns.numbers))
        found: Mask = tokens + others > CONTEXT - MARKS
        for text, caption in enumerate(captions):
            if len(caption.sheared) > CONTEXT - MARKS and "'" in caption.sheared:
                found[text] = True
        return found


def kind_of(word: str) -> int:
    """Return the bits of a word."""
    return (
        CUE * (word in ANY_CUE)
        | WEAK_CUE * (word in WEAK_CUES)
        | LOOPING * is_loop_within(word)
        | OF_PLACEHOLDER * (word in PLACEHOLDER_WORDS)
    )


def tokens_in(word: str) -> int:
    """Return the number of CLIP's tokens of a word."""
    return count_tokens(word) - MARKS
