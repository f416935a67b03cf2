"""Finding the records of imported captions: an index of millions of keys, and which captions count.

Keys are held as hashes of eight bytes. The chance that any of three million foreign paths has the
hash of one of three million records is one in two million, and another one in every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
"""Numbers of records, positions in the index or hashes, of the shape (n,)."""
NOT_FOUND = -1
"""Stands for the position of a key that no record has."""


def hash_keys(keys: Sequence[str]) -> Numbers:
    """Return the hash of each key, which other processes compute differently."""
    return np.fromiter(map(hash, keys), np.int64, len(keys))


class RecordIndex:
    """The records of a project by the hashes of their keys."""

    def __init__(self, hashes: Iterable[Numbers]) -> None:
        """`hashes` are those of all records in order, in pieces."""
        unsorted = np.concatenate(list(hashes))
        self.records = np.argsort(unsorted, kind="stable")
        """The record id at each position."""
        self.hashes = unsorted[self.records]
        repeats = self.hashes[1:] == self.hashes[:-1]
        self.has_twins = np.zeros(len(unsorted), bool)
        """True at each position but the last of a key that several records have."""
        self.has_twins[:-1] = repeats

    def __len__(self) -> int:
        return len(self.records)

    def find(self, keys: Sequence[str]) -> Numbers:
        """Return the first position of each key, or `NOT_FOUND`."""
        wanted = hash_keys(keys)
        order = np.argsort(wanted)  # looked for in order, they are found in half the time
        positions = np.empty(len(wanted), np.int64)
        positions[order] = np.searchsorted(self.hashes, wanted[order])
        positions[positions == len(self)] = 0
        return np.where(self.hashes[positions] == wanted, positions, NOT_FOUND)

    def records_at(self, position: int) -> list[int]:
        """Return the ids of all records that have the key whose first position this is."""
        end = np.searchsorted(self.hashes, self.hashes[position], "right")
        return self.records[position:end].tolist()  # type: ignore[no-any-return]


class Chooser:
    """Chooses one of the captions that a file has for an image."""

    def __init__(self, size: int, which: int) -> None:
        """`size` is that of the index; `which` is the caption's number among them, from 1."""
        self.which = which
        self.seen = np.zeros(size, np.uint32)
        """The captions seen so far of the key at each position."""
        self.last = np.zeros(size, np.uint32)
        """Room to tell whether a position occurs twice."""

    def choose(self, positions: Numbers) -> NDArray[np.bool_]:
        """Return True for each caption that is taken; `positions` are those of its image's key."""
        numbers = np.arange(len(positions))
        self.last[positions] = numbers
        if (self.last[positions] == numbers).all():  # the usual case: all are different
            chosen: NDArray[np.bool_] = self.seen[positions] == self.which - 1
            self.seen[positions] += 1
            return chosen
        order = np.argsort(positions, kind="stable")
        ordered = positions[order]
        is_first = np.ones(len(ordered), bool)
        is_first[1:] = ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(is_first)
        sizes = np.diff(np.append(starts, len(ordered)))
        rank = numbers - np.repeat(starts, sizes)
        chosen = np.empty(len(ordered), bool)
        chosen[order] = self.seen[ordered] + rank == self.which - 1
        self.seen[ordered[starts]] += sizes.astype(np.uint32)
        return chosen
