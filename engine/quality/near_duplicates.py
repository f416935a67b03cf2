"""Near duplicates among the captions of a model: nearly the same words in nearly the same order.

Two captions are near duplicates if their words and pairs of neighbouring words, as sets, have a
Jaccard similarity of `SIMILARITY` or more. Pairs to compare are found by MinHash signatures, cut
into bands (Broder 1997, "On the resemblance and containment of documents"; Leskovec, Rajaraman and
Ullman, "Mining of Massive Datasets", 3.4), and then compared word by word. The signatures are
made by rensa.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

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
"""Odd numbers that make one key of the values of a band, with what overflows lost."""
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
    signatures = np.concatenate(
        [signatures_of(distinct[start : start + CHUNK]) for start in range(0, len(distinct), CHUNK)]
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


def signatures_of(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Return a MinHash signature for each text, as rows of `BANDS * ROWS` numbers."""
    import rensa  # here, since only this needs it

    matrix = rensa.RMinHash.digest_matrix_from_token_sets(
        list(map(shingles, texts)), BANDS * ROWS, 1
    )
    return np.array(matrix.to_rows(), np.uint32)


def candidate_pairs(signatures: NDArray[np.uint32]) -> list[tuple[int, int]]:
    """Return pairs (earlier, later), in order, of rows that agree in a band and in many values."""
    pairs = []
    for band in range(BANDS):
        start = band * ROWS
        keys = signatures[:, start : start + ROWS] @ MIXERS
        after = (start + ROWS) % (BANDS * ROWS)
        order = np.lexsort((*signatures.T[after : after + ROWS][::-1], keys))
        for distance in range(1, PREDECESSORS + 1):
            same = keys[order[distance:]] == keys[order[:-distance]]
            pairs.append(np.stack([order[:-distance][same], order[distance:][same]], 1))
    unique = np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)
    agreement = np.empty(len(unique))
    for start in range(0, len(unique), CHUNK):
        part = unique[start : start + CHUNK]
        agreement[start : start + CHUNK] = (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(
            axis=1
        )
    chosen: list[list[int]] = unique[agreement >= MIN_AGREEMENT].tolist()
    return [(first, second) for first, second in chosen]


def similarity(ours: set[str], text: str) -> float:
    """Return the Jaccard similarity of a text's shingles and these."""
    theirs = set(shingles(text))
    common = len(ours & theirs)
    return common / (len(ours) + len(theirs) - common)
