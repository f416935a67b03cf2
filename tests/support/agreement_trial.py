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
SHUFFLED = 0.3
"""Share of the originals that are put to other scenes."""


@dataclass(frozen=True, slots=True)
class OriginalTrial:
    """How well wrong originals are found. Those that say nothing of a scene do not count."""

    wrong: int
    found: int
    """Wrong originals that are contradicted."""
    false: int
    """Right originals that are contradicted."""

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.false)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.wrong)


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
    """Put some originals to other scenes, and count which the captions contradict."""
    rng = random.Random(seed)
    wrong = found = false = 0
    for place, scene in enumerate(scenes):
        original = alt_text(rng.choice(scenes) if rng.random() < SHUFFLED else scene)
        is_right = is_true(original, scene)
        if is_right is None:
            continue
        texts = {name: of_model[place] for name, of_model in captions.items()}
        contradicted = agreement_of(original, texts).original == "contradicted"
        wrong += not is_right
        found += contradicted and not is_right
        false += contradicted and is_right
    return OriginalTrial(wrong, found, false)


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
    wrong = found = false = 0
    for photo in photos:
        captions = dict(zip(MODELS, photo.captions, strict=True))
        for other in photos:
            for original in other.originals:
                contradicted = agreement_of(original, captions).original == "contradicted"
                wrong += other is not photo
                found += contradicted and other is not photo
                false += contradicted and other is photo
    return OriginalTrial(wrong, found, false)
