"""The demonstration's project: scenes that are drawn, and the built-in models that caption them.

Its models are the tiny trained checkpoints of `engine.demo`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.captioners.registry import choose
from engine.demo import checkpoint, scenes
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.utils.errors import BadInput

MODELS = ("minigpt-4", "otter", "qwen-vl", "llava-1.5")
"""The models that caption the scenes."""
SHARDS = 8
"""Shards of the project, or as many as it has images."""
SEED = 1
"""The seed of the scenes: every demonstration draws the same ones."""


def make_demo(folder: Path, images: int) -> Project:
    """Make the project in `folder` and draw its scenes, or open it if it is there already.

    Raises `BadInput`, and leaves nothing behind.
    """
    if (folder / "project.db").is_file():
        return open_project(folder)
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty: name another folder for the demo")
    try:
        scenes.write_scenes(folder, images, SEED)
        models = [choose(f"{name}={checkpoint(name)}") for name in MODELS]
        new_project = NewProject(
            captions=[folder / "captions.json"], models=models, shards=min(SHARDS, images)
        )
        return create(folder, new_project).project
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
