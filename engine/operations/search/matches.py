"""The captions that a search has found so far, as numbers, and the records that have them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from db.rows import RecordKey


class ShardMatches(NamedTuple):
    """The records of a shard that were found."""

    shard: int
    indices: NDArray[np.uint32]
    """The indices of the records, in order."""
    models: NDArray[np.uint8]
    """The place of the model by whose caption each was found, the first one in their order."""


@dataclass(slots=True)
class Matches:
    """The records that were found, in the order of the data set: 5 bytes a record."""

    names: Sequence[str]
    """The names of the models, in their order."""
    parts: list[ShardMatches] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    """How many records come before each part."""
    found: int = 0
    """The number of all records."""

    def __len__(self) -> int:
        return self.found

    def add(self, part: ShardMatches) -> None:
        """Add what was found in the next shard."""
        if len(part.indices):
            self.parts.append(part)
            self.starts.append(self.found)
            self.found += len(part.indices)

    def key(self, place: int) -> RecordKey:
        """Return the key of the record at a place, counted from 0."""
        number = bisect_right(self.starts, place) - 1
        part = self.parts[number]
        return part.shard, int(part.indices[place - self.starts[number]])

    def model_of(self, key: RecordKey) -> str:
        """Return the name of the model by whose caption a record was found."""
        place = self.place_after(key) - 1
        number = bisect_right(self.starts, place) - 1
        return self.names[int(self.parts[number].models[place - self.starts[number]])]

    def keys(self, places: Sequence[int] | range) -> list[RecordKey]:
        """Return the keys of the records at these places."""
        return [self.key(place) for place in places]

    def place_after(self, key: RecordKey) -> int:
        """Return how many records come before a key, or at it."""
        number = bisect_right(self.parts, key[0], key=lambda part: part.shard) - 1
        if number < 0:
            return 0
        part, start = self.parts[number], self.starts[number]
        if part.shard < key[0]:
            return start + len(part.indices)
        return start + int(np.searchsorted(part.indices, key[1], side="right"))
