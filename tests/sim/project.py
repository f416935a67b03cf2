"""The projects of simulated runs: small, of several shapes, copied from templates in memory."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from tests.sim.worker import BAD, POISON, SERVER_POISON, SHARD_SIZE

TEMPLATES = 12
"""Shapes of projects: making one takes as long as some hundred faults."""
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Template:
    """A project that was just made, and the images of its records."""

    folder: Path
    images: tuple[str, ...]

    def copy(self, folder: Path) -> Project:
        shutil.copytree(self.folder, folder)
        return Project(folder)


@cache
def base_folder() -> Path:
    """Return a folder in memory, where there is one, that is removed at the end."""
    return Path(tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None))


@cache
def template(number: int) -> Template:
    """Return the template of this number."""
    rng = random.Random(f"template {number}")
    images = [f"{image_kind(rng)}-{k}.png" for k in range(rng.randint(9, 28))]
    images[0] = "good-0.png"
    folder = base_folder() / f"template-{number}"
    folder.mkdir()
    captions = folder / "captions.json"
    captions.write_text(json.dumps([{"image": image, "caption": "alt"} for image in images]))
    models = [choose("a=dry-run"), choose("b=dry-run"), choose("s=http://server:8000/v1")]
    project = create(
        folder / "project",
        NewProject(
            captions=[captions],
            models=rng.choice([models[:1], models[:2], models[1:], models]),
            shard_size=SHARD_SIZE,
            allow_missing=True,
        ),
    ).project
    return Template(project.folder, tuple(images))


def image_kind(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.1:
        return BAD
    if draw < 0.15:
        return POISON
    return SERVER_POISON if draw < 0.2 else "good"
