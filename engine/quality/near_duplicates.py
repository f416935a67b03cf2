"""Near duplicates among the captions of a model: nearly the same words in nearly the same order.

Two captions are near duplicates if their words and pairs of neighbouring words, as sets, have a
Jaccard similarity of `SIMILARITY` or more. Pairs to compare are found by MinHash signatures, cut
into bands (Broder 1997, "On the resemblance and containment of documents"; Leskovec, Rajaraman and
Ullman, "Mining of Massive Datasets", 3.4), and then compared word by word. The signatures are
made by rensa.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby, pairwise
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from engine.quality.vocabulary import ROW, Vocabulary, WordColumns

SIMILARITY = 0.75
"""With it one word may be changed in a caption of eleven words, or added to one of seven."""
SAMPLE = 100_000
"""Captions of a model among which near duplicates are searched."""
BANDS, ROWS = 16, 4
"""A pair of similarity 0.75 agrees in one band at least with a probability of 0.998."""
PREDECESSORS = 6
"""Captions with the same band before a caption that it is compared with, in an order in which those
that agree in the beginning of the next band, too, stand together. In captions of a template many
have the same band."""
MIN_AGREEMENT = 0.6
"""Share of a signature in which a pair must agree to be compared word by word: some three standard
deviations below `SIMILARITY`."""
MIXERS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 1], np.uint64)
"""Odd numbers that make one key of the values of a band, and hashes of words, with what overflows
lost."""
CHUNK = 10_000
"""Captions whose signatures are made at once."""


def find_near_duplicates(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Return for each text whether it is a near duplicate of an earlier one, or the same.

    Each text is the words of a caption (`words_of`), joined by blanks; an empty one is none.
    """
    first_places: dict[str, int] = {}
    found = np.array([first_places.setdefault(text, i) != i for i, text in enumerate(texts)], bool)
    first_places.pop("", None)
    distinct, places = list(first_places), list(first_places.values())
    found[[i for i, text in enumerate(texts) if not text]] = False
    if len(distinct) < 2:
        return found
    vocabulary = Vocabulary()
    signatures = np.concatenate(
        [
            signatures_of(vocabulary.columns_of(distinct[start : start + CHUNK]))
            for start in range(0, len(distinct), CHUNK)
        ]
    )
    for first, pairs in groupby(candidate_pairs(signatures), key=itemgetter(0)):
        ours = set(shingles(distinct[first]))
        for _, second in pairs:
            if not found[places[second]]:
                found[places[second]] = similarity(ours, distinct[second]) >= SIMILARITY
    return found


def shingles(text: str) -> list[str]:
    """Return the words of a text and its pairs of neighbouring words."""
    words = text.split()
    return words + list(map(" ".join, pairwise(words)))


def signatures_of(columns: WordColumns) -> NDArray[np.uint32]:
    """Return a MinHash signature for each text, as rows of `BANDS * ROWS` numbers."""
    import rensa  # here, since only this needs it

    words, following = columns.numbers[:-1], columns.numbers[1:]
    # The last word of a text stands twice, in place of a pair.
    pairs = np.where(following == 0, words, words * ROW + following)
    tokens = np.stack([words, pairs], 1)[words != 0].view(np.uint64)
    hashes = tokens * MIXERS[0]
    hashes = (hashes ^ (hashes >> np.uint64(32))) * MIXERS[1]
    offsets = np.concatenate([[0], np.cumsum(2 * columns.counts)])
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        hashes.ravel(), offsets, BANDS * ROWS, 1
    )
    values = chain.from_iterable(matrix.to_rows())
    return np.fromiter(values, np.uint32).reshape(-1, BANDS * ROWS)


def candidate_pairs(signatures: NDArray[np.uint32]) -> list[tuple[int, int]]:
    """Return pairs (earlier, later), in order, of rows that agree in a band and in many values."""
    pairs = []
    for band in range(BANDS):
        start = band * ROWS
        keys = signatures[:, start : start + ROWS] @ MIXERS
        shared = with_equals(keys)
        after = (start + ROWS) % (BANDS * ROWS)
        order = shared[
            np.lexsort((*signatures[shared, after : after + ROWS].T[::-1], keys[shared]))
        ]
        for distance in range(1, PREDECESSORS + 1):
            same = keys[order[distance:]] == keys[order[:-distance]]
            one, other = order[:-distance][same], order[distance:][same]
            pairs.append(np.minimum(one, other) * ROW + np.maximum(one, other))
    # In order, so that equal ones stand together; `np.unique` is slow with such numbers.
    sorted_pairs = np.sort(np.concatenate(pairs))
    distinct = sorted_pairs[np.diff(sorted_pairs, prepend=-1) != 0]
    agreement = [np.zeros(0)]
    for start in range(0, len(distinct), CHUNK):
        part = distinct[start : start + CHUNK]
        agreement.append((signatures[part // ROW] == signatures[part % ROW]).mean(axis=1))
    chosen = distinct[np.concatenate(agreement) >= MIN_AGREEMENT]
    return list(zip((chosen // ROW).tolist(), (chosen % ROW).tolist(), strict=True))


def with_equals(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the places of the keys that stand at another place, too."""
    order = np.argsort(keys)
    equal = np.diff(keys[order]) == 0
    return np.sort(order[np.append(equal, False) | np.insert(equal, 0, False)])


def similarity(ours: set[str], text: str) -> float:
    """Return the Jaccard similarity of a text's shingles and these."""
    theirs = set(shingles(text))
    common = len(ours & theirs)
    return common / (len(ours) + len(theirs) - common)
