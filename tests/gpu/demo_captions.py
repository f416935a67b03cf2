"""Captions of drawn scenes by the demo checkpoints, in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.captioners.base import Caption
from engine.captioners.registry import FAMILIES
from engine.demo import checkpoint
from engine.demo.scenes import write_scenes
from engine.images.image import open_image

SEED = 23
"""The seed of the scenes, which no checkpoint was trained on."""


def scene_images(folder: Path, count: int) -> list[Path]:
    """Draw so many scenes below the folder, and return their files."""
    write_scenes(folder, count, SEED)
    return sorted((folder / "images").iterdir())


def demo_captions(
    name: str, images: Sequence[Path], device: str, changes: Mapping[str, Any]
) -> list[Caption]:
    """Return the captions of a demo checkpoint: greedy and in float32, before `changes`."""
    plain = {"temperature": 0.0, "top_p": None, "dtype": "float32"}
    settings = replace(FAMILIES[name].presets["paper"], **plain | dict(changes))
    captioner: Any = FAMILIES[name].load(str(checkpoint(name)), settings, device)
    captions: list[Caption] = []
    for first in range(0, len(images), settings.batch):
        batch = images[first : first + settings.batch]
        prepared = [captioner.prepare(open_image(str(image))) for image in batch]
        captions += captioner.caption(prepared, range(first, first + len(batch)))
    return captions
