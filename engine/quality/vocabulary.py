"""The words of many texts as numbers, so that numpy looks at all of them at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.quality.words import ENGLISH, PLAIN, words_of

END = "."
"""Stands behind the words of each text; no word holds it."""

Numbers = NDArray[np.int64]
ROW = 1 << 32
"""More than there are words in a vocabulary."""


class Vocabulary:
    """Numbers words in the order in which they come; `END` is 0.

    Memory: some 150 bytes a distinct word.
    """

    def __init__(self) -> None:
        self.numbers: defaultdict[str, int] = defaultdict()
        self.numbers.default_factory = self.numbers.__len__
        self.numbers_of([END])
        self.content = WordTable(self, lambda word: word not in ENGLISH)
        """1 for words that say something by themselves in English."""

    def numbers_of(self, words: Sequence[str]) -> Numbers:
        """Return the number of each word."""
        return np.fromiter(map(self.numbers.__getitem__, words), np.int64, len(words))

    def columns_of(self, texts: Sequence[str]) -> WordColumns:
        """Return the words of each text, as `words_of` gives them."""
        lines = [
            text.replace("\n", " ") if text.isascii() else " ".join(words_of(text))
            for text in texts
        ]
        data = "\n".join([*lines, ""]).encode().translate(PLAIN)
        words = data.replace(b"\n", f" {END} ".encode()).decode().split()
        return WordColumns(self, words)


class WordColumns:
    """The words of several texts, one text behind the other, with an `END` behind each."""

    def __init__(self, vocabulary: Vocabulary, words: list[str]) -> None:
        self.vocabulary = vocabulary
        self.words = words
        self.numbers = vocabulary.numbers_of(words)
        self.ends = np.flatnonzero(self.numbers == 0)
        self.starts = np.append(0, self.ends + 1)[:-1]
        self.counts = self.ends - self.starts
        """The number of words of each text."""

    def of(self, text: int) -> list[str]:
        """Return the words of the text with this number."""
        start, end = self.places[text]
        return self.words[start:end]

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """Where the words of each text begin and end."""
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    def sums(self, values: Numbers) -> Numbers:
        """Return the sum over each text of a number for each word and each `END`."""
        found: Numbers = np.add.reduceat(values, self.starts)
        return found

    @cached_property
    def counts_of_distinct(self) -> Numbers:
        """The number of distinct words of each text."""
        return np.bincount(self.distinct[0], minlength=len(self.ends))

    def count_distinct(self, table: WordTable) -> Numbers:
        """Return how many distinct words of each text have another number than 0 in a table."""
        texts, words = self.distinct
        chosen = table.look_up(words) != 0
        return np.bincount(texts[chosen], minlength=len(self.ends))

    @cached_property
    def distinct(self) -> tuple[Numbers, Numbers]:
        """The distinct words of all texts: the number of the text of each, and its own."""
        texts = np.repeat(np.arange(len(self.ends)), self.counts + 1)
        keys = np.sort(texts * ROW + self.numbers)  # `np.unique` is slow with such keys
        keys = keys[(np.diff(keys, prepend=-1) != 0) & (keys % ROW != 0)]
        return keys // ROW, keys % ROW


class WordTable:
    """A number for each word of a vocabulary, which grows with it; 0 for `END`."""

    def __init__(self, vocabulary: Vocabulary, number_of: Callable[[str], int]) -> None:
        self.vocabulary = vocabulary
        self.number_of = number_of
        self.values = np.zeros(1, np.int64)

    def look_up(self, words: Numbers) -> Numbers:
        """Return the number of each of these words, which the vocabulary's numbers stand for."""
        new = islice(self.vocabulary.numbers, len(self.values), None)
        self.values = np.concatenate([self.values, np.fromiter(map(self.number_of, new), np.int64)])
        found: Numbers = self.values[words]
        return found


def are_in(keys: Numbers, known: Numbers) -> NDArray[np.bool_]:
    """Return which keys are among others, which are in order."""
    places = np.searchsorted(known, keys)
    found: NDArray[np.bool_] = np.append(known, -1)[places] == keys
    return found
