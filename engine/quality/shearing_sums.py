"""What shearing cuts of captions, in numbers."""

from __future__ import annotations

import msgspec

from engine.quality.defects import LEAD_IN, REASONING

SENTENCE_ENDS = (". ", "! ", "? ", ".\n", "!\n", "?\n", "。", "！", "？")  # noqa: RUF001
"""Marks between two sentences. Abbreviations are not told apart, so that all captions are counted
quickly."""
SHOWN_START = 16
"""Characters of a sheared text by which it is seen whether it begins the raw one."""


class ShearingSums(msgspec.Struct):
    """Sums over the captions of a model."""

    captions_cut: int = 0
    """Captions that lost words."""
    words: int = 0
    """The words of all raw captions: what stands between blanks."""
    words_cut: int = 0
    """Those of them that the sheared captions do not have."""
    sentences_cut: int = 0
    lead_ins_cut: int = 0
    """Captions of which a lead-in, or the marker of a list, was cut."""
    reasoning_cut: int = 0
    """Captions of which a model's reasoning was cut."""
    cut_within_sentence: int = 0
    """Captions that were cut at a full stop that ends no sentence, counted by `ShardHealth`."""

    def add(self, raw: str, sheared: str, raw_words: int, sheared_words: int, defects: int) -> None:
        """Count a caption of so many words, with its defects as bits."""
        self.words += raw_words
        if raw_words <= sheared_words:
            return
        self.captions_cut += 1
        self.words_cut += raw_words - sheared_words
        self.sentences_cut += max(0, count_sentences(raw) - count_sentences(sheared))
        if defects & REASONING:
            self.reasoning_cut += 1
        elif defects & LEAD_IN:
            start = sheared[:SHOWN_START]
            self.lead_ins_cut += not start or not raw.lstrip().startswith(start)

    def add_sums(self, other: ShearingSums) -> None:
        """Add the sums of other captions."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def count_sentences(text: str) -> int:
    """Return the number of sentences in a text, by the marks between them."""
    stripped = text.strip()
    ends = SENTENCE_ENDS[:3] if stripped.isascii() and "\n" not in stripped else SENTENCE_ENDS
    between = sum([stripped.count(end) for end in ends])
    if stripped.endswith(SENTENCE_ENDS[6:]):
        between -= 1
    return between + 1 if stripped else 0
