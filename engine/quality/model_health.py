"""The health of all captions of one model, put together from that of its shards.

Memory: 8 bytes a caption, by which exact duplicates are found, 2 bytes more that say which defects
it has, and the words of at most `near_duplicates.SAMPLE` captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from engine.quality.defects import DEFECT_NAMES, Defect
from engine.quality.facts import FactSums
from engine.quality.near_duplicates import SAMPLE, find_near_duplicates
from engine.quality.shard_health import (
    COUNTED,
    CUT_WITHIN_SENTENCE,
    LONGEST,
    Flags,
    Hashes,
    Lengths,
    left_by_shearing,
)
from engine.quality.shearing_sums import ShearingSums
from engine.quality.style import Style, style_of

MOST_FREQUENT = 20
"""Texts of duplicates that are named."""

SAME_AS_OTHER = 1 << 14
"""The bit beside those of `Defect` that says that another model has the same caption."""
MENDED = Defect.TRUNCATED | Defect.REASONING | Defect.BEYOND_CLIP
"""Defects that spoil no caption: shearing cuts the first two, and CLIP the third."""
SPOILS = sum(DEFECT_NAMES.values()) & ~MENDED | CUT_WITHIN_SENTENCE
"""The bits of what makes a caption defective by itself."""
FLAGS = DEFECT_NAMES | {"same_as_other": SAME_AS_OTHER}
"""The bits by which captions with each name are found."""

Health = dict[str, int]
"""Numbers of captions, by the name of what is wrong with them."""
Place = tuple[int, int]
"""A caption: the position of its shard among those that were added, and its index there."""
Mask = NDArray[np.bool_]
"""True for some of the records of a shard."""


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
    flags: Flags = field(hash=False)
    """The flags of each record, among them `SAME_AS_OTHER`."""
    raw_lengths: Lengths = field(hash=False)
    sheared_lengths: Lengths = field(hash=False)
    shearing: ShearingSums = field(hash=False)


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

    def near_duplicates(self) -> list[Place]:
        """Return the near duplicates in the sample that are no exact duplicates."""
        sampled = [n for n, shard in enumerate(self.shards) if shard.sample]
        if not sampled:
            return []
        keys = [(n, i) for n in sampled for i in np.flatnonzero(self.shards[n].hashes).tolist()]
        hashes = np.concatenate([self.shards[n].hashes for n in sampled])
        _, first = np.unique(hashes[hashes != 0][:SAMPLE], return_index=True)
        found = find_near_duplicates(self.sample())
        return [keys[place] for place in np.sort(first[found[first]])]

    def defective(self) -> list[int]:
        """Return how many captions are defective, shard by shard.

        They have a defect of their own that `SPOILS` them, or are exact duplicates.
        """
        if not self.shards:
            return []
        hashes = np.concatenate([shard.hashes for shard in self.shards])
        _, first = np.unique(hashes, return_index=True)
        duplicate = hashes != 0
        duplicate[first] = False
        ends = np.cumsum([len(shard.hashes) for shard in self.shards])[:-1]
        return [
            int((repeated | is_spoilt(shard.flags)).sum())
            for shard, repeated in zip(self.shards, np.split(duplicate, ends), strict=True)
        ]

    def left(self) -> Health:
        """Return how many captions have each of the defects that shearing may cut, after it.

        Captions that shearing leaves nothing of are not among them.
        """
        names = {"leaks": Defect.LEAK, "lead_ins": Defect.LEAD_IN}
        flags = [left_by_shearing(shard.flags) for shard in self.shards]
        flags = [each[each & Defect.EMPTY == 0] for each in flags]
        return {
            name: sum(int((each & bit != 0).sum()) for each in flags) for name, bit in names.items()
        }

    def lengths(self) -> tuple[list[int], list[int]]:
        """Return the `Lengths` of all captions, raw and sheared."""
        nothing = np.zeros(LONGEST + 1, np.int64)
        raw = sum((shard.raw_lengths for shard in self.shards), nothing)
        sheared = sum((shard.sheared_lengths for shard in self.shards), nothing)
        return raw.tolist(), sheared.tolist()

    def examples(self) -> dict[str, Place]:
        """Return a caption for each name of `FLAGS` of which there is one."""
        found: dict[str, Place] = {}
        for number, shard in enumerate(self.shards):
            for name in FLAGS.keys() - found.keys():
                mask = shard.flags & FLAGS[name] != 0
                if mask.any():
                    found[name] = number, int(mask.argmax())
        return found

    def facts(self) -> FactSums:
        """Return the sums over all captions."""
        total = FactSums()
        for shard in self.shards:
            total.add_sums(shard.facts)
        return total

    def shearing(self) -> ShearingSums:
        """Return what shearing cut of all captions."""
        total = ShearingSums()
        for shard in self.shards:
            total.add_sums(shard.shearing)
        return total

    def style(self) -> Style:
        """Return the style of the sample."""
        return style_of(self.sample())

    def health(self, near_duplicates: int) -> Health:
        """Return the number of captions with each defect; of duplicates all but the first.

        `near_duplicates` is their number, which takes long to find.
        """
        sums = {name: sum(shard.health[name] for shard in self.shards) for name in FLAGS}
        hashes = self.all_hashes()
        return {
            "loops": sums.pop("loops"),
            "duplicates": len(hashes) - len(np.unique(hashes)),
            "near_duplicates": near_duplicates,
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


def is_spoilt(flags: Flags) -> Mask:
    """Return which records have a caption with a defect that spoils it, after shearing."""
    spoilt: Mask = left_by_shearing(flags) & SPOILS != 0
    return spoilt


def count_flags(flags: Flags) -> tuple[int, Health]:
    """Return the number of captions, and of those with each name of `FLAGS`."""
    health = {name: int((flags & bit != 0).sum()) for name, bit in FLAGS.items()}
    return int((flags & COUNTED != 0).sum()), health


def count_duplicates(hashes: Hashes) -> int:
    """Return the number of texts that are the same as an earlier one."""
    texts = hashes[hashes != 0]
    return len(texts) - len(np.unique(texts))


def find_same(own: Hashes, others: Sequence[Hashes]) -> Mask:
    """Return in which records a text is the same as one of the others' texts."""
    same: Mask = np.zeros(len(own), bool)
    for other in others:
        same |= own == other
    same &= own != 0
    return same
