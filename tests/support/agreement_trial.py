"""Agreement tried on captions of which the truth is known."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.demo.scenes import BACKGROUNDS, COLOURS, SHAPES, Scene, alt_text
from engine.demo.truth_check import describes
from engine.quality.agreement import agreement_of
from tests.support.photo_captions import MODELS, Photo

NAMED = re.compile(rf"\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})\b")
SHAPE = re.compile(rf"\b(?:{'|'.join(SHAPES)})\b")
ON = re.compile(rf" on ({'|'.join(BACKGROUNDS)})$")
OTHERS = 3
"""Originals of other scenes that a scene is tried with, beside its own."""


@dataclass(frozen=True, slots=True)
class OriginalTrial:
    """How well wrong originals are found. Those that say nothing of a scene do not count."""

    wrong: int
    found: int
    """Wrong originals that are contradicted."""
    right: int
    false: int
    """Right originals that are contradicted."""

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.false)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.wrong)

    @property
    def false_share(self) -> float:
        """Share of the right originals that are contradicted."""
        return self.false / max(1, self.right)


def auroc(wrong: Sequence[float], right: Sequence[float]) -> float:
    """Return the probability that a wrong caption has a lower number than a right one."""
    below = np.searchsorted(np.sort(wrong), right, "left")
    equal = np.searchsorted(np.sort(wrong), right, "right") - below
    return float((below + equal / 2).mean() / len(wrong))


def try_captions(
    scenes: Sequence[Scene], captions: Mapping[str, Sequence[str]]
) -> tuple[list[float], list[float]]:
    """Return the support of wrong and of right sheared captions, one a scene by each model."""
    wrong: list[float] = []
    right: list[float] = []
    for place, scene in enumerate(scenes):
        texts = {name: of_model[place] for name, of_model in captions.items()}
        for name, support in agreement_of(alt_text(scene), texts).support.items():
            (right if describes(texts[name], scene) else wrong).append(support or 0.0)
    return wrong, right


def try_originals(
    scenes: Sequence[Scene], captions: Mapping[str, Sequence[str]], seed: int
) -> OriginalTrial:
    """Count which originals the captions contradict: each scene's own, and some of other scenes."""
    rng = random.Random(seed)
    verdicts = []
    for place, scene in enumerate(scenes):
        texts = {name: of_model[place] for name, of_model in captions.items()}
        for of_original in (scene, *rng.choices(scenes, k=OTHERS)):
            original = alt_text(of_original)
            is_right = is_true(original, scene)
            if is_right is not None:
                verdicts.append((is_right, is_contradicted(original, texts)))
    return count_verdicts(verdicts)


def is_contradicted(original: str, captions: Mapping[str, str]) -> bool:
    return agreement_of(original, captions).original == "contradicted"


def count_verdicts(verdicts: Sequence[tuple[bool, bool]]) -> OriginalTrial:
    """Count originals, of each whether it is right and whether it is contradicted."""
    right = [contradicted for is_right, contradicted in verdicts if is_right]
    wrong = [contradicted for is_right, contradicted in verdicts if not is_right]
    return OriginalTrial(len(wrong), sum(wrong), len(right), sum(right))


def is_true(original: str, scene: Scene) -> bool | None:
    """Return whether an original caption is true of a scene; None if it says nothing of it."""
    names = (scene.first.name, scene.second.name)
    background = ON.search(original)
    if background and background[1] != scene.background:
        return False
    if pairs := NAMED.findall(original):
        return all(" ".join(pair) in names for pair in pairs)
    shapes = SHAPE.findall(original)
    return set(shapes) <= {scene.first.shape, scene.second.shape} if shapes else None


def support_in(photo: Photo, position: int, caption: str) -> float:
    """Return the support of a caption that stands in the place of one model's."""
    captions = dict(zip(MODELS, photo.captions, strict=True)) | {MODELS[position]: caption}
    return agreement_of(photo.originals[0], captions).support[MODELS[position]] or 0.0


def try_photos(photos: Sequence[Photo]) -> tuple[list[float], list[float], list[float]]:
    """Return the support of right captions, of those of other photographs, of wrong details."""
    right, others, details = [], [], []
    for photo in photos:
        right += [support_in(photo, *place) for place in enumerate(photo.captions)]
        details += [support_in(photo, *wrong) for wrong in photo.wrong]
        for other in photos:
            if other is not photo:
                others += [support_in(photo, *place) for place in enumerate(other.captions)]
    return right, others, details


def try_photo_originals(photos: Iterable[Photo]) -> OriginalTrial:
    """Count which originals of the same and of other photographs the captions contradict."""
    photos = list(photos)
    verdicts = []
    for photo in photos:
        captions = dict(zip(MODELS, photo.captions, strict=True))
        for other in photos:
            for original in other.originals:
                verdicts.append((other is photo, is_contradicted(original, captions)))
    return count_verdicts(verdicts)
