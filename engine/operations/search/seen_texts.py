"""Which texts were seen before, by their hashes, in 8 bytes a text."""

from __future__ import annotations

import numpy as np

from engine.quality.judgement import is_repeated
from engine.quality.shard_health import Hashes


class SeenTexts:
    """The hashes of the texts that were seen, in sorted runs of which each is longer than all
    shorter ones: so that few are searched, and a hash is sorted again only a few times."""

    def __init__(self) -> None:
        self.runs: list[Hashes] = []

    def add(self, hashes: Hashes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which texts were seen before, or are earlier among these, and remember all.

        A hash of 0 stands for no text, which was never seen.
        """
        repeated = is_repeated(hashes)
        for run in self.runs:
            places = np.searchsorted(run, hashes)
            places[places == len(run)] = 0
            repeated |= (run[places] == hashes) & (hashes != 0)
        new = np.sort(hashes[(hashes != 0) & ~repeated])
        while self.runs and len(self.runs[-1]) <= len(new):
            new = np.sort(np.concatenate([self.runs.pop(), new]))
        if len(new):
            self.runs.append(new)
        return repeated
