"""Which caption of an image `JointCaptions` draws: a function of seed, epoch and index alone."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, get_args

from engine.datasets.exports.writers.base import ORIGINAL
from engine.shearing.sentences import all_sentences
from engine.utils.errors import BadInput

DrawMode = Literal["caption", "random_sentence"]
"""What is drawn: a whole caption, or one sentence of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRule:
    """How one of an image's captions is drawn. Raises `BadInput` for values that make no sense."""

    seed: int = 0
    mode: DrawMode = "caption"
    mix: float | None = None
    """The share of images that get their original caption; None gives it no share of its own."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How often the captions of each name are drawn, in proportion to 1, the weight of a name that
    is not here. A caption of weight 0 is drawn only where the image has no other."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(DrawMode):
            raise BadInput(f"draw is one of {', '.join(get_args(DrawMode))}, not {self.mode!r}")
        if self.mix is not None and not 0 <= self.mix <= 1:
            raise BadInput(f"mix is a share between 0 and 1, not {self.mix}")
        for name, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise BadInput(f"the weight of {name!r} is 0 or a greater number, not {weight}")
        if self.mix is not None and ORIGINAL in self.weights:
            raise BadInput(f"mix is the share of the originals: give no weight of {ORIGINAL!r}")

    def refuse_unknown(self, names: Sequence[str]) -> None:
        """Raise `BadInput` if the rule speaks of captions that no source has by name."""
        known = ", ".join(names)
        for name in self.weights:
            if name not in names:
                raise BadInput(f"there are no captions of {name!r}, only of {known}")
        if self.mix is not None and ORIGINAL not in names:
            raise BadInput(
                f"mix needs captions with the name {ORIGINAL!r}: name a project, an export of the"
                f" formats columns or per-model, or a file {ORIGINAL}.json, not {known} alone"
            )

    def draw(self, names: Sequence[str], captions: Sequence[str], epoch: int, index: int) -> str:
        """Return what is drawn for the image with this index; its captions have these names."""
        chosen = self.choose(names, epoch, index)
        if self.mode == "caption" or names[chosen] == ORIGINAL:
            return captions[chosen]
        sentences = all_sentences(captions[chosen]) or [captions[chosen]]
        return sentences[self.number(epoch, f"{index} sentence") % len(sentences)]

    def choose(self, names: Sequence[str], epoch: int, index: int) -> int:
        """Return which caption is drawn, as an index into those of the image."""
        number = self.number(epoch, str(index))
        if self.mix is None and not self.weights:
            return number % len(names)
        sums = list(accumulate(self.chances(names)))
        # 53 bits are what a float holds: more could round up to 1.
        point = (number >> 11) / (1 << 53) * sums[-1]
        return bisect(sums, point, hi=len(sums) - 1)

    def chances(self, names: Sequence[str]) -> list[float]:
        """Return how likely each caption of an image is; together they give 1."""
        weights = [self.weights.get(name, 1.0) for name in names]
        originals = [i for i, name in enumerate(names) if name == ORIGINAL]
        others = [i for i, name in enumerate(names) if name != ORIGINAL]
        if self.mix is None or not originals or not others:
            return shares(weights)
        chances = [0.0] * len(names)
        for group, share in ((originals, self.mix), (others, 1 - self.mix)):
            for i, chance in zip(group, shares([weights[i] for i in group]), strict=True):
                chances[i] = share * chance
        return chances

    def number(self, epoch: int, purpose: str) -> int:
        """Return a random number of 64 bits, the same for the same epoch and purpose."""
        text = f"{self.seed} {epoch} {purpose}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def shares(weights: Sequence[float]) -> list[float]:
    """Return the weights in proportion to their sum; equal shares if all of them are 0."""
    total = sum(weights)
    return [weight / total if total else 1 / len(weights) for weight in weights]
