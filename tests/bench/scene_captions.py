"""Scenes captioned by the demo models, with real commands, and how they are put into words."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.demo import checkpoint
from engine.demo.phrasing import PHRASINGS, name_shapes
from engine.demo.scenes import Scene, draw_scene, make_scene, true_caption, write_scenes
from engine.operations.demo_project import MODELS
from tests.bench.tiny_clip import MARGIN, SIDE
from tests.support.cli import cli_ok


def shapes_then_ground(scene: Scene) -> str:
    first, second = name_shapes(scene)
    return f"a drawing: {first} {scene.relation} {second}, {scene.background} all around"


def second_shape_first(scene: Scene) -> str:
    first, second = name_shapes(scene)
    return f"{second} with {first} {scene.relation} it, and {scene.background} behind both"


def ground_then_shapes(scene: Scene) -> str:
    return f"{scene.background} paper: {scene.first.name} {scene.relation} {scene.second.name}"


NEUTRAL = (shapes_then_ground, second_shape_first, ground_then_shapes)
"""Wordings that no demo model and no original caption has."""
OWN = tuple(PHRASINGS[model].sentence for model in MODELS)
"""The demo models' own wordings of what is true."""


def write_project(folder: Path, scenes: int, seed: int) -> Path:
    """Draw scenes and make a project of them with the four demo models; return its folder."""
    write_scenes(folder / "scenes", scenes, seed)
    models = [f"--model={model}={checkpoint(model)}" for model in MODELS]
    cli_ok("new", folder / "run", folder / "scenes/captions.json", *models)
    return folder / "run"


def caption(project: Path) -> None:
    """Caption a project as people do."""
    cli_ok("run", project)


def export(project: Path, out: Path) -> None:
    """Export all captions of a project in the form that `JointCaptions` maps into memory."""
    cli_ok("export", project, out, "--format", "columns", "--with-original")


def unseen_scenes(seed: int, first: int, number: int) -> list[Scene]:
    """Return scenes of a seed from `first` on, of which no two are alike in words."""
    scenes: dict[str, Scene] = {}
    for index in count(first):
        scene = make_scene(seed, index)
        scenes.setdefault(true_caption(scene), scene)
        if len(scenes) == number:
            return list(scenes.values())
    raise AssertionError


def small_picture(image: Image.Image) -> NDArray[np.uint8]:
    """Return the square in the middle of an image, (3, H, H) with H = SIDE + 2 * MARGIN."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert("RGB").crop((left, top, left + side, top + side))
    height = SIDE + 2 * MARGIN
    return np.asarray(square.resize((height, height), Image.Resampling.BOX)).transpose(2, 0, 1)


def small_pictures_of(scenes: list[Scene]) -> NDArray[np.uint8]:
    """Return the squares of drawn scenes, (scenes, 3, H, H)."""
    return np.stack([small_picture(draw_scene(scene)) for scene in scenes])
