"""The health of one model's captions in one shard, counted as they arrive.

It is a value that is stored between two looks: what is counted stays counted, and only new rows
are looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.quality.batch_finder import BatchFinder, Caption
from engine.quality.cut_sentences import is_cut_within_sentence
from engine.quality.defects import EMPTY, LEAD_IN, LEAK, DefectFinder
from engine.quality.facts import FactSums, OriginalFacts
from engine.quality.shearing_sums import ShearingSums
from engine.quality.vocabulary import Vocabulary

COUNTED = 1 << 15
"""The bit beside those of `Defect` that says that a record has a caption."""
NO_LEAD_IN_LEFT = 1 << 13
"""The bit that says that shearing cut the lead-in that `Defect.LEAD_IN` found in the raw text."""
NO_LEAK_LEFT = 1 << 10
"""The same of all leaks that `Defect.LEAK` found."""
CUT_WITHIN_SENTENCE = 1 << 9
"""The bit that says that shearing cut the caption at a full stop that ends no sentence."""
HASH_BYTES = 8
"""Bytes of a text's hash: among a hundred million texts, two have the same one by chance with a
probability of 0.0003."""
NO_TEXT = bytes(HASH_BYTES)
"""Stands for the text of a record without a caption, or with an empty one."""

BATCH = 4_096
"""Captions that are looked at together."""
LONGEST = 200
"""Words from which on the lengths of captions are no longer told apart: few are longer."""

Hashes = NDArray[np.uint64]
"""A hash of each record's sheared text, 0 where there is none."""
Flags = NDArray[np.uint16]
"""The bits of `Defect`, `COUNTED`, `NO_LEAD_IN_LEFT`, `NO_LEAK_LEFT` and `CUT_WITHIN_SENTENCE` of
each record."""
Lengths = NDArray[np.int64]
"""The number of captions of 0, 1, ... `LONGEST` words, the last with all longer ones. A word is
here what stands between blanks, so that raw texts are measured quickly."""


class ShardHealth(msgspec.Struct):
    """What is counted of one model's captions in one shard."""

    flags: list[int]
    """The bits of `Defect` and `COUNTED` of each record."""
    hashes: list[bytes]
    """The hash of each record's sheared text, `NO_TEXT` where there is none."""
    facts: FactSums
    """Sums over the captions, if the shard is in the sample of which near duplicates and style are
    taken."""
    sample: list[str] | None
    """The words of each record's sheared text, joined by blanks, if the shard is in the sample; an
    empty text where there is none."""
    raw_lengths: list[int]
    """The `Lengths` of the raw texts."""
    sheared_lengths: list[int]
    """The `Lengths` of the sheared texts."""
    shearing: ShearingSums
    """What shearing cut of all captions."""

    @classmethod
    def of_nothing(cls, records: int, sampled: bool) -> Self:
        """Return the health of a shard of so many records without a caption."""
        return cls(
            flags=[0] * records,
            hashes=[NO_TEXT] * records,
            facts=FactSums(),
            sample=[""] * records if sampled else None,
            raw_lengths=[0] * (LONGEST + 1),
            sheared_lengths=[0] * (LONGEST + 1),
            shearing=ShearingSums(),
        )

    def fits(self, records: int, sampled: bool) -> bool:
        """Return True if this can be the health of a shard of so many records."""
        return (
            len(self.flags) == len(self.hashes) == records
            and 0 <= min(self.flags, default=0) <= max(self.flags, default=0) < 2 * COUNTED
            and set(map(len, self.hashes)) <= {HASH_BYTES}
            and (len(self.sample) == records if self.sample is not None else not sampled)
            and (sampled or self.sample is None)
            and len(self.raw_lengths) == len(self.sheared_lengths) == LONGEST + 1
            and min(*self.raw_lengths, *self.sheared_lengths) >= 0
            and max(*self.raw_lengths, *self.sheared_lengths) <= records
        )

    def has_caption(self, i: int) -> bool:
        """Return True if a caption of record `i` is counted."""
        return bool(self.flags[i])

    def add_captions(
        self,
        finder: DefectFinder,
        captions: Sequence[Caption],
        vocabulary: Vocabulary,
        originals: OriginalFacts | None = None,
    ) -> None:
        """Count captions, each the first one of its record.

        A later caption of a record cannot replace it: then the shard is counted anew.
        """
        batch_finder = BatchFinder(finder, vocabulary)
        for start in range(0, len(captions), BATCH):
            batch = captions[start : start + BATCH]
            columns = vocabulary.columns_of([caption.sheared for caption in batch])
            for caption, defects in zip(batch, batch_finder.find(batch, columns), strict=True):
                self.add_defects(finder, caption, defects)
            if self.sample is not None:
                self.facts.add_captions(batch, columns, originals)
                for text, caption in enumerate(batch):
                    self.sample[caption.i] = " ".join(columns.of(text))

    def add_defects(self, finder: DefectFinder, caption: Caption, defects: int) -> None:
        """Count a caption's defects, its lengths, its hash and what shearing cut of it."""
        i, raw, _, sheared = caption
        self.flags[i] = defects | COUNTED
        if defects:
            cut = finder.cut_by_shearing(defects, sheared)
            if cut & LEAD_IN:
                self.flags[i] |= NO_LEAD_IN_LEFT
            if cut & LEAK:
                self.flags[i] |= NO_LEAK_LEFT
        if is_cut_within_sentence(raw, sheared):
            self.flags[i] |= CUT_WITHIN_SENTENCE
            self.shearing.cut_within_sentence += 1
        raw_words = count_words(raw)
        # Most captions of which shearing cuts nothing are the same text.
        sheared_words = raw_words if raw == sheared else count_words(sheared)
        self.raw_lengths[raw_words if raw_words < LONGEST else LONGEST] += 1
        self.sheared_lengths[sheared_words if sheared_words < LONGEST else LONGEST] += 1
        self.shearing.add(raw, sheared, raw_words, sheared_words, defects)
        if not defects & EMPTY:
            self.hashes[i] = text_hash(sheared)

    def flag_array(self) -> Flags:
        """Return the flags as an array."""
        return np.array(self.flags, np.uint16)

    def hash_array(self) -> Hashes:
        """Return the hashes as an array."""
        return np.frombuffer(b"".join(self.hashes), np.uint64)


def left_by_shearing(flags: Flags) -> Flags:
    """Return flags without the defects of the raw text that shearing cut: leaks and lead-ins."""
    cut = np.where(flags & NO_LEAK_LEFT, LEAK, 0) | np.where(flags & NO_LEAD_IN_LEFT, LEAD_IN, 0)
    left: Flags = flags & ~cut.astype(np.uint16)
    return left


def count_words(text: str) -> int:
    """Return the number of words between blanks, quickly where these are single blanks."""
    if "\n" in text or "  " in text or not text:
        return len(text.split())
    return text.count(" ") + 1


def text_hash(text: str) -> bytes:
    """Return a hash of a text that is the same in every process."""
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=HASH_BYTES).digest()
