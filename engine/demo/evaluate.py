"""Measuring how often a demo checkpoint is right, through the captioner that a project uses."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.captioners.base import Caption
from engine.captioners.registry import FAMILIES
from engine.demo.phrasing import PHRASINGS
from engine.demo.scenes import Scene, make_scene, write_scenes
from engine.demo.truth_check import describes, find_claims
from engine.images.image import open_image
from engine.shearing.shear import Shearing, shear


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMeasurement:
    """Counts over captions of unseen scenes. A claim is what can be checked against the scene."""

    temperature: float
    scenes: int
    """Number of scenes, each with one caption."""
    right: int
    """Sheared captions that describe their scene."""
    verbatim: int
    """Sheared captions that are the trained sentence, word for word."""
    capped: int
    """Captions that reached the limit of new tokens."""
    raw_claims: int
    raw_wrong: int
    """Claims of raw captions that are wrong."""
    raw_captions_wrong: int
    """Raw captions with a wrong claim."""
    sheared_claims: int
    sheared_wrong: int
    """Claims of sheared captions that are wrong."""
    sheared_captions_wrong: int
    """Sheared captions with a wrong claim."""

    def summary(self) -> str:
        """Return the figures as lines for people."""

        def share(part: int, whole: int) -> str:
            return f"{part / max(1, whole):.1%}"

        return "\n".join(
            [
                f"{self.scenes} unseen scenes at temperature {self.temperature}:",
                f"  sheared caption right          {share(self.right, self.scenes)}",
                f"  word for word                  {share(self.verbatim, self.scenes)}",
                f"  stopped by the token cap       {share(self.capped, self.scenes)}",
                f"  captions with a wrong claim    {share(self.raw_captions_wrong, self.scenes)}"
                f" raw, {share(self.sheared_captions_wrong, self.scenes)} sheared",
                f"  wrong claims                   {share(self.raw_wrong, self.raw_claims)}"
                f" raw, {share(self.sheared_wrong, self.sheared_claims)} sheared",
            ]
        )


def measure(
    family: str, folder: Path, count: int, seed: int, temperature: float | None = None
) -> DemoMeasurement:
    """Measure a checkpoint on the first `count` scenes of a seed, in float32 on the CPU.

    The settings are those of the preset `paper`, unless a temperature is given.
    """
    if temperature is None:
        temperature = FAMILIES[family].presets["paper"].temperature
    captions = caption_scenes(family, folder, count, seed, temperature)
    return measure_captions(
        family, [make_scene(seed, index) for index in range(count)], captions, temperature
    )


def caption_scenes(
    family: str, folder: Path, count: int, seed: int, temperature: float
) -> list[Caption]:
    """Caption the first `count` scenes of a seed, from image files as a project has them."""
    settings = replace(FAMILIES[family].presets["paper"], temperature=temperature, dtype="float32")
    captioner: Any = FAMILIES[family].load(str(folder), settings, "cpu")
    captions: list[Caption] = []
    with tempfile.TemporaryDirectory() as data:
        write_scenes(Path(data), count, seed)
        images = sorted((Path(data) / "images").iterdir())
        for start in range(0, count, settings.batch):
            part = images[start : start + settings.batch]
            inputs = [captioner.prepare(open_image(str(image))) for image in part]
            captions += captioner.caption(inputs, range(start, start + len(part)))
    return captions


def measure_captions(
    family: str, scenes: list[Scene], captions: list[Caption], temperature: float
) -> DemoMeasurement:
    """Count what is right and wrong in raw captions, one for each scene."""
    true_sentence = PHRASINGS[family].sentence
    raw = [it.raw for it in captions]
    sheared = [shear(text, family, Shearing()).text for text in raw]
    claims = [
        [find_claims(text, it) for text, it in zip(texts, scenes, strict=True)]
        for texts in (raw, sheared)
    ]
    wrong = [[[claim for claim in row if not claim.holds] for row in rows] for rows in claims]
    return DemoMeasurement(
        temperature=temperature,
        scenes=len(scenes),
        right=sum(map(describes, sheared, scenes)),
        verbatim=sum(text == true_sentence(it) for text, it in zip(sheared, scenes, strict=True)),
        capped=sum(it.finish == "length" for it in captions),
        raw_claims=sum(map(len, claims[0])),
        raw_wrong=sum(map(len, wrong[0])),
        raw_captions_wrong=sum(map(bool, wrong[0])),
        sheared_claims=sum(map(len, claims[1])),
        sheared_wrong=sum(map(len, wrong[1])),
        sheared_captions_wrong=sum(map(bool, wrong[1])),
    )
