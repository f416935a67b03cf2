"""A project of pictures whose colour tells their number, with captions that tell it, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from tests.readers.colours import picture
from tests.support.projects import model_choice, write_captions

MODELS = ("one", "two")
SHARD_SIZE = 16


def log_row(model: str, number: int) -> dict[str, Any]:
    """Return what a model says of a picture: shearing keeps the first sentence."""
    raw = f"{model} sees {number}. It adds more."
    return {"raw": raw, "tokens": 9, "finish": "stop"}


def make_numbered_project(
    folder: Path,
    count: int,
    make_row: Callable[[str, int], dict[str, Any]] = log_row,
    images: Callable[[int], str] = lambda number: f"{number:03}.png",
) -> Project:
    """Make pictures 0 to `count` - 1 in `folder`, and a project of them, captioned by two models.

    `make_row` returns the row of a caption log without its index, `images` the name of a picture.
    """
    records = []
    for number in range(count):
        picture(number).save(folder / f"{number:03}.png")
        records.append({"image": images(number), "caption": f"original {number}"})
    (folder / "captions.json").write_text(json.dumps(records))
    models = [model_choice(name) for name in MODELS]
    new = NewProject(captions=[folder / "captions.json"], models=models, shard_size=SHARD_SIZE)
    project = create(folder / "run", new).project
    write_captions(project, lambda model, shard, i: make_row(model, shard * SHARD_SIZE + i))
    return project
