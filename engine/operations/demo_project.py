"""The demonstration's project: scenes that are drawn, captioned and scored by built-in models.

Its models are the tiny trained checkpoints of `engine.demo`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from db import projects
from db.connection import reading
from engine.captioners.model_families import SCORE
from engine.captioners.registry import choose
from engine.demo import checkpoint, scenes
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.utils.errors import BadInput

MODELS = ("minigpt-4", "otter", "qwen-vl", "llava-1.5")
"""The models that caption the scenes."""
SCORER = "clip"
"""The model that scores their captions: a CLIP that was trained on such scenes."""
IMAGES = 200
"""Scenes of the project, unless a person says otherwise."""
SHARDS = 8
"""Shards of the project, or as many as it has images."""
SEED = 1
"""The seed of the scenes: every demonstration draws the same ones."""


def make_demo(folder: Path, images: int | None) -> Project:
    """Make the project in `folder` and draw its scenes, or open it if it is there already.

    `images` is the number of scenes, None for the usual ones or for those that are there. Raises
    `BadInput`, also for a project that is no demonstration, and leaves nothing behind.
    """
    if Project(folder).is_there():
        return open_demo(folder, images)
    try:
        if folder.exists() and any(folder.iterdir()):
            raise BadInput(f"{folder} is not empty: name another folder for the demo")
        return draw_demo(folder, images or IMAGES)
    except OSError as error:
        raise BadInput(f"cannot make {folder}: {error.strerror or error}") from error


def open_demo(folder: Path, images: int | None) -> Project:
    """Open a demonstration that was made before. Raises `BadInput` for any other project."""
    project = open_project(folder)
    with reading(project.database) as connection:
        records = projects.project(connection).records
        models = {model.name: model.checkpoint for model in projects.models(connection)}
    # Another installation of this program has its checkpoints elsewhere.
    names = (Path(checkpoint(name)).parts[-2:] for name in MODELS)
    if [Path(models.get(name) or "").parts[-2:] for name in MODELS] != list(names):
        raise BadInput(f"{folder} holds a project that is not a demo: name another folder")
    if images not in (None, records):
        raise BadInput(f"{folder} holds a demo of {records:,} scenes: name another folder")
    return project


def draw_demo(folder: Path, images: int) -> Project:
    """Draw the scenes and make the project, or leave nothing behind."""
    try:
        scenes.write_scenes(folder, images, SEED)
        models = [choose(f"{name}={checkpoint(name)}") for name in MODELS]
        models.append(choose(f"{SCORER}={SCORE}:{checkpoint(SCORE)}"))
        new_project = NewProject(
            captions=[folder / "captions.json"], models=models, shards=min(SHARDS, images)
        )
        return create(folder, new_project).project
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
