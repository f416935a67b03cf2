"""The detector of bad captions, tried on captions of which the truth is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from engine.quality.batch_finder import Caption
from engine.quality.defects import DEFECT_NAMES, DefectFinder
from engine.quality.near_duplicates import find_near_duplicates
from engine.quality.shard_health import NO_TEXT, ShardHealth
from engine.quality.vocabulary import Vocabulary
from engine.shearing.shear import Shearing, make_shearer
from tests.support.planted_captions import Planted, planted

SHEARING = Shearing("sentence")
FAMILY = "llava-1.5"


@dataclass(frozen=True, slots=True)
class Score:
    """How well one kind of defect is found."""

    right: int
    wrong: int
    """Captions that were found and do not have it."""
    missed: int

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found in planted captions."""

    scores: dict[str, Score]
    """By the name of the defect."""
    confusion: Counter[tuple[str, str]]
    """Numbers of captions by the kind that was planted and the name that was found."""
    mistakes: list[tuple[str, str]]
    """The name and the raw text of what was found wrongly or missed."""


def try_detector(count: int, share: float, seed: int) -> Trial:
    """Plant each kind of defect in this share of the captions, and look for all of them."""
    captions, others = planted(count, share, seed)
    shear = make_shearer(FAMILY, SHEARING)
    sheared = [shear(caption.raw, caption.finish) for caption in captions]
    health = ShardHealth.of_nothing(count, sampled=True)
    texts = [
        Caption(i, caption.raw, caption.finish, sheared[i]) for i, caption in enumerate(captions)
    ]
    health.add_captions(DefectFinder("en"), texts, Vocabulary())
    other_texts = [shear(others[i], "stop") for i in range(count)]
    found = found_in(health, sheared, other_texts)
    truths = true_defects(captions, sheared)
    names = (*DEFECT_NAMES, "duplicates", "near_duplicates", "same_as_other")
    confusion: Counter[tuple[str, str]] = Counter()
    for caption, some in zip(captions, found, strict=True):
        confusion.update((caption.kind, name) for name in some)
    pairs = list(zip(captions, truths, found, strict=True))
    return Trial(
        scores={name: score(name, truths, found) for name in names},
        confusion=confusion,
        mistakes=[
            (name, caption.raw) for caption, truth, some in pairs for name in sorted(truth ^ some)
        ],
    )


def found_in(health: ShardHealth, sheared: list[str], others: list[str]) -> list[set[str]]:
    """Return the names of the defects that the detector finds in each caption."""
    found = [{name for name, bit in DEFECT_NAMES.items() if flags & bit} for flags in health.flags]
    hashes = health.hash_array()
    first = {int(hashes[i]): i for i in range(len(hashes) - 1, -1, -1)}
    near = set(np.flatnonzero(find_near_duplicates(health.sample or [])).tolist())
    for i, names in enumerate(found):
        if health.hashes[i] == NO_TEXT:
            continue
        if first[int(hashes[i])] != i:
            names.add("duplicates")
        elif i in near:
            names.add("near_duplicates")
        if sheared[i] == others[i]:
            names.add("same_as_other")
    return found


def true_defects(captions: list[Planted], sheared: list[str]) -> list[set[str]]:
    """Return what was planted in each caption, and what shearing made of it.

    Of "Certainly! A dog" it leaves "Certainly!", which others have too, of "... a dog" nothing.
    """
    truths, seen = [], set[str]()
    for caption, text in zip(captions, sheared, strict=True):
        truth = set(caption.defects)
        if not any(map(str.isalnum, text)):
            truth.add("empty")
        elif text in seen:
            truth.add("duplicates")
        seen.add(text)
        truths.append(truth)
    return truths


def score(name: str, truths: list[set[str]], found: list[set[str]]) -> Score:
    both = Counter((name in truth, name in some) for truth, some in zip(truths, found, strict=True))
    return Score(both[True, True], both[False, True], both[True, False])
