"""A project whose captions have known defects, scores and agreement."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from engine.captioners.registry import ModelChoice
from engine.operations.new_project import NewProject, create
from engine.project.layout import Project
from engine.shearing.shear import Shearing, shear_text
from tests.support.canned_rows import HOSTILE
from tests.support.fake_scorer import scores_of
from tests.support.projects import model_choice, write_captions

SHARDS, SHARD_SIZE = 3, 20
MODELS = ("llava-1.5", "otter", "qwen-vl")
SCORER = "clip"
ANIMALS = ("dog", "cat", "horse", "sheep", "rabbit")
PLACES = ("a beach", "a field", "an old house", "a river")
HOSTILE_CAPTION = f"###Human: {HOSTILE} \x1b[31mred\x1b[0m שלום 一只猫 @click=app.quit"
"""A caption with a leak, markup, control characters, and letters of other directions and widths."""


def original(number: int) -> str:
    """Return the original caption of a record: that of record 11 is of another image."""
    if number == 11:
        return "stock market chart"
    return f"{ANIMALS[number % 5]} near {PLACES[number % 4]}"


def raw_caption(model: str, number: int) -> str:
    """Return what a model says of a record.

    Of otter, every fourth caption loops, and all do in the last shard; llava-1.5 refuses and leaks
    once; all others of a record agree.
    """
    if model == "otter" and (number % 4 == 0 or number >= 2 * SHARD_SIZE):
        return "standing standing sleeping standing standing sleeping standing"
    if model == "llava-1.5" and number == 7:
        return "I'm sorry, but I can't see this image"
    if model == "llava-1.5" and number == 9:
        return HOSTILE_CAPTION
    animal, place = ANIMALS[number % 5], PLACES[number % 4]
    name = model.replace(".", "")  # mode `paper` would end the caption there
    return f"A {animal} number {number} of {name} is near {place}. It looks at the camera"


def make_judged_project(
    folder: Path, models: Sequence[str] = MODELS, scorer: bool = True, captioned: bool = True
) -> Project:
    """Make the project in `folder`, with some of the models, captioned or not yet."""
    folder.mkdir(parents=True)
    records = [
        {"image": f"{number:03}.jpg", "caption": original(number)}
        for number in range(SHARDS * SHARD_SIZE)
    ]
    (folder / "captions.json").write_text(json.dumps(records))
    choices = [model_choice(name) for name in models]
    if scorer:
        choices.append(
            ModelChoice(
                name=SCORER, family="score", checkpoint="/clip", settings={}, settings_hash="hash"
            )
        )
    new = NewProject(
        captions=[folder / "captions.json"],
        models=choices,
        shard_size=SHARD_SIZE,
        allow_missing=True,
    )
    project = create(folder / "run", new).project

    def row(model: str, shard: int, i: int) -> dict[str, Any]:
        number = shard * SHARD_SIZE + i
        if model == SCORER:
            raw = [raw_caption(name, number) for name in models]
            sheared = [shear_text(text, "dry-run", Shearing(), "stop")[0] for text in raw]
            return {"scores": scores_of(original(number), *raw, *sheared)}
        return {"raw": raw_caption(model, number), "tokens": 9, "finish": "stop"}

    if captioned:
        write_captions(project, row)
    return project


def copy_judged_project(folder: Path, **options: Any) -> Project:
    """Make the same project in `folder`: made once a process, and then copied."""
    shutil.copytree(judged_folder(tuple(sorted(options.items()))), folder)
    return Project((folder / "run").absolute())


@cache
def judged_folder(options: tuple[tuple[str, Any], ...]) -> Path:
    """Return the folder of the project that is copied. It lasts as long as the process."""
    parent = Path(tempfile.mkdtemp(prefix="judged-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    make_judged_project(parent / "project", **dict(options))
    return parent / "project"
