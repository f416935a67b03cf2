"""The projects of simulated runs: small, of several shapes, copied from templates in memory."""

from __future__ import annotations

import atexit
import json
import random
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

from engine.captioners.model_families import FAMILIES
from engine.captioners.registry import choose
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from tests.sim.naming import BAD, ORIGINAL, POISON, SERVER_POISON, SHARD_SIZE
from tests.support.fake_scorer import FAMILY

TEMPLATES = 12
"""Shapes of projects: making one takes as long as some hundred faults."""
SCORED = (2, 5, 8, 11)
"""Those of them that have a scorer."""
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Template:
    """A project that was just made, and the images of its records."""

    folder: Path
    images: tuple[str, ...]

    @property
    def shards(self) -> dict[int, tuple[str, ...]]:
        """The images of each shard."""
        starts = range(0, len(self.images), SHARD_SIZE)
        return {n: self.images[at : at + SHARD_SIZE] for n, at in enumerate(starts)}

    def copy(self, folder: Path) -> Project:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        return Project(folder)


@cache
def base_folder() -> Path:
    """Return a folder in memory, where there is one, that is removed at the end."""
    folder = tempfile.mkdtemp(prefix="sim-", dir=MEMORY if MEMORY.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "exports").mkdir()
    return Path(folder)


@cache
def template(number: int) -> Template:
    """Return the template of this number."""
    rng = random.Random(f"template {number}")
    images = [f"{image_kind(rng)}-{k}.png" for k in range(rng.randint(9, 28))]
    images[0] = "good-0.png"
    folder = base_folder() / f"template-{number}"
    folder.mkdir()
    captions = folder / "captions.json"
    captions.write_text(json.dumps([{"image": image, "caption": ORIGINAL} for image in images]))
    models = [choose("a=dry-run"), choose("b=dry-run"), choose("s=http://server:8000/v1")]
    chosen = rng.choice([models[:1], models[:2], models[1:], models])
    with patch.dict(FAMILIES, {FAMILY.name: FAMILY}):
        scorers = [choose(f"f={FAMILY.name}")] if number in SCORED else []
        new_project = NewProject(
            captions=[captions],
            models=[*chosen, *scorers],
            shard_size=SHARD_SIZE,
            allow_missing=True,
        )
        project = create(folder / "project", new_project).project
    return Template(project.folder, tuple(images))


def image_kind(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.1:
        return BAD
    if draw < 0.15:
        return POISON
    return SERVER_POISON if draw < 0.2 else "good"


def check_outside() -> list[str]:
    """Return what lies beside the project that no simulation has put there."""
    own = re.compile(r"project(\.aside)?|exports|template-\d+")
    return [
        f"{path.name} was made outside the project"
        for path in sorted(base_folder().iterdir())
        if not own.fullmatch(path.name)
    ]
