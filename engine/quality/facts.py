"""What captions keep of the original, and what they say that it does not."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np

from engine.quality.batch_finder import Caption
from engine.quality.vocabulary import ROW, Vocabulary, WordColumns, WordTable, are_in
from engine.quality.words import NUMBER_WORDS

NAME = re.compile(r"[A-Z](?<=[\w,;)] [A-Z])[a-z]+\b")
"""A capitalised word that begins no sentence. The pattern begins with the capital, for which a text
is searched several times faster than for what stands before it."""
DIGITS = re.compile(r"\d\d*")
"""A number in digits; searched three times faster than `\\d+`."""
TITLE_SHARE = 0.6
"""Share of capitalised words from which on a text is a headline, whose capitals mark no names."""
COUNTING_WORDS = frozenset(NUMBER_WORDS) - {"one", "zero"}
"""Words that are numbers; "one" is mostly none."""


def names_of(text: str) -> frozenset[str]:
    """Return the names in an original caption, in small letters."""
    if text[1:].islower():  # as most are, and seen much faster than by the pattern
        return frozenset()
    found = NAME.findall(text)
    if len(found) >= TITLE_SHARE * len(text.split()):
        return frozenset()
    return frozenset(map(str.lower, found))


def numbers_in(words: Sequence[str], text: str) -> frozenset[str]:
    """Return the numbers of a text with these words, in digits."""
    counted = [NUMBER_WORDS[word] for word in COUNTING_WORDS.intersection(words)]
    return frozenset(DIGITS.findall(text)).union(counted)


def has_number(word: str) -> bool:
    """Return True if a word is a number, or has one in it."""
    return word in COUNTING_WORDS or any(map(str.isdigit, word))


class OriginalFacts:
    """What the original captions of a shard say that can be kept or added to."""

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary) -> None:
        """`texts` are the original captions in the order of the records."""
        columns = vocabulary.columns_of(texts)
        records, words = columns.distinct
        self.have_words = columns.counts > 0
        """True for each record whose original has a word."""
        self.words = records * ROW + words
        """A key for each distinct word of a record: the record's number times `ROW`, and the
        word's."""
        names = [(record, name) for record, text in enumerate(texts) for name in names_of(text)]
        self.names = np.array([record for record, _ in names], np.int64) * ROW
        self.names += vocabulary.numbers_of([name for _, name in names])
        """A key for each name of a record."""
        numbered = WordTable(vocabulary, has_number).look_up(columns.numbers)
        self.have_numbers = columns.sums(numbered) > 0
        self.numbers = {
            record: numbers_in(columns.of(record), texts[record])
            for record in np.flatnonzero(self.have_numbers).tolist()
        }
        """The numbers of each record that has some, in digits."""


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

    def add_captions(
        self,
        captions: Sequence[Caption],
        columns: WordColumns,
        originals: OriginalFacts | None,
    ) -> None:
        """Count captions whose sheared texts have these words. One without words is none."""
        self.captions += int((columns.counts > 0).sum())
        self.words += int(columns.counts.sum())
        if originals is None:
            return
        records = np.array([caption.i for caption in captions])
        compared = originals.have_words[records] & (columns.counts > 0)
        self.compared += int(compared.sum())
        owners, words = columns.distinct
        owners, words = owners[compared[owners]], words[compared[owners]]
        keys = records[owners] * ROW + words
        content = keys[columns.vocabulary.content.look_up(words) != 0]
        self.content += len(content)
        self.new += int((~are_in(content, originals.words)).sum())
        names = originals.names[are_in(originals.names // ROW, np.sort(records[compared]))]
        self.names += len(names)
        self.names_kept += int(are_in(names, np.sort(keys)).sum())
        for text in np.flatnonzero(compared & originals.have_numbers[records]).tolist():
            numbers = originals.numbers[captions[text].i]
            self.numbers += len(numbers)
            self.numbers_kept += len(numbers & numbers_in(columns.of(text), captions[text].sheared))

    def add_sums(self, other: FactSums) -> None:
        """Add the sums of other captions."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
