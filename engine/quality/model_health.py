"""The health of all captions of one model, put together from that of its shards.

Memory: 8 bytes a caption, by which exact duplicates are found, and the words of at most
`near_duplicates.SAMPLE` captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from engine.quality.defects import Defect
from engine.quality.near_duplicates import SAMPLE, find_near_duplicates
from engine.quality.shard_health import COUNTED, Flags, Hashes
from engine.quality.style import FactSums, Style, style_of

DEFECT_NAMES = {
    "loops": Defect.LOOP,
    "empty": Defect.EMPTY,
    "truncated": Defect.TRUNCATED,
    "refusals": Defect.REFUSAL,
    "leaks": Defect.LEAK,
    "reasoning": Defect.REASONING,
    "lead_ins": Defect.LEAD_IN,
    "other_script": Defect.OTHER_SCRIPT,
    "beyond_clip": Defect.BEYOND_CLIP,
}
"""What is counted of each caption by itself, by its name in the output."""
MOST_FREQUENT = 20
"""Texts of duplicates that are named."""

Health = dict[str, int]
"""Numbers of captions, by the name of what is wrong with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFigures:
    """The health of one model's captions in one shard."""

    captions: int
    health: Health
    """Of the names in `DEFECT_NAMES`; `duplicates` within the shard; `same_as_other`."""
    facts: FactSums = field(hash=False)
    hashes: Hashes = field(hash=False)
    sample: list[str] | None = field(hash=False)
    """The words of each record's caption if the shard is in the sample, empty where it has none."""


@dataclass(frozen=True, slots=True)
class FrequentText:
    """A text that several captions have."""

    captions: int
    shard: int
    """The position of a shard, among those that were added, in which it stands."""
    i: int
    """The index of a record there that has it."""


@dataclass(slots=True)
class ModelHealth:
    """The health of the captions of one model, shard by shard."""

    name: str
    shards: list[ShardFigures] = field(default_factory=list)

    @property
    def captions(self) -> int:
        """The number of captions."""
        return sum(shard.captions for shard in self.shards)

    def sample(self) -> list[str]:
        """Return the words of the captions of which near duplicates and style are taken."""
        texts = chain.from_iterable(shard.sample or () for shard in self.shards)
        return list(islice(filter(None, texts), SAMPLE))

    def near_duplicates(self) -> int:
        """Return the number of near duplicates in the sample that are no exact duplicates."""
        hashes = [shard.hashes[shard.hashes != 0] for shard in self.shards if shard.sample]
        if not hashes:
            return 0
        found = find_near_duplicates(self.sample())
        _, first = np.unique(np.concatenate(hashes)[:SAMPLE], return_index=True)
        return int(found[first].sum())

    def facts(self) -> FactSums:
        """Return the sums over all captions."""
        total = FactSums()
        for shard in self.shards:
            total.add_sums(shard.facts)
        return total

    def style(self) -> Style:
        """Return the style of the sample."""
        return style_of(self.sample())

    def health(self) -> Health:
        """Return the number of captions with each defect; of duplicates all but the first."""
        sums = {
            name: sum(shard.health[name] for shard in self.shards)
            for name in (*DEFECT_NAMES, "same_as_other")
        }
        hashes = self.all_hashes()
        return {
            "loops": sums.pop("loops"),
            "duplicates": len(hashes) - len(np.unique(hashes)),
            "near_duplicates": self.near_duplicates(),
            "same_as_other": sums.pop("same_as_other"),
            **sums,
        }

    def all_hashes(self) -> Hashes:
        """Return the hashes of all texts."""
        if not self.shards:
            return np.zeros(0, np.uint64)
        return np.concatenate([shard.hashes[shard.hashes != 0] for shard in self.shards])

    def most_frequent(self) -> list[FrequentText]:
        """Return the texts that most captions have, the most frequent first."""
        values, counts = np.unique(self.all_hashes(), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MOST_FREQUENT]
        top: dict[int, int] = {
            int(values[place]): int(counts[place]) for place in order if counts[place] > 1
        }
        wanted = np.array(list(top), np.uint64)
        found: dict[int, FrequentText] = {}
        for number, shard in enumerate(self.shards):
            for i in np.flatnonzero(np.isin(shard.hashes, wanted)).tolist():
                value = int(shard.hashes[i])
                found.setdefault(value, FrequentText(top[value], number, i))
            if len(found) == len(top):
                break
        return [found[value] for value in top]


def count_flags(flags: Flags) -> tuple[int, Health]:
    """Return the number of captions, and of those with each defect."""
    health = {name: int((flags & bit != 0).sum()) for name, bit in DEFECT_NAMES.items()}
    return int((flags & COUNTED != 0).sum()), health


def count_duplicates(hashes: Hashes) -> int:
    """Return the number of texts that are the same as an earlier one."""
    texts = hashes[hashes != 0]
    return len(texts) - len(np.unique(texts))


def count_same(own: Hashes, others: Sequence[Hashes]) -> int:
    """Return in how many records a text is the same as one of the others' texts."""
    same: NDArray[np.bool_] = np.zeros(len(own), bool)
    for other in others:
        same |= own == other
    return int((same & (own != 0)).sum())
