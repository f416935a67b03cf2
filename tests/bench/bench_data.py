"""Input files and finished projects for the benches, generated without a model."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from db import projects
from db.connection import migrate, writing
from db.rows import ModelRow, ProjectRow, ShardRow
from engine.project import caption_log
from engine.project.layout import Project
from engine.shearing.shear import Shearing
from engine.state.completion import complete_log
from engine.state.policy import Policy
from engine.state.project_state import ProjectState
from engine.utils import jsonlines

SHARD_SIZE = 10_000
"""Number of records in a shard of the finished project."""
VOCABULARY = """
a the dog cat man woman child sits stands runs on in near with red blue car house tree
beach table city street people walking holding photo of view from large small old
"""
WORDS = VOCABULARY.split()


def sentences(count: int, words: int, seed: int) -> list[str]:
    """Return sentences of so many random words, without a full stop."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=words)).capitalize() for _ in range(count)]


def records(count: int, caption_words: int = 18) -> Iterator[dict[str, str]]:
    """Yield records like those of CC3M, of about 150 bytes each as JSON."""
    texts = sentences(5000, caption_words, 1)
    for number in range(count):
        yield {
            "image": f"cc3m/train/{number // 10_000:05}/{number:09}.jpg",
            "caption": texts[number % len(texts)],
        }


def write_array(path: Path, count: int) -> None:
    """Write so many records as one JSON array, as json.dump does."""
    with path.open("w") as file:
        for number, record in enumerate(records(count)):
            file.write((", " if number else "[") + json.dumps(record))
        file.write("]")


def make_project(folder: Path, count: int, models: int) -> Project:
    """Make a finished project of whole shards. All shards are hard links to one file."""
    project = Project(folder)
    for path in (project.shards, project.captions, project.logs):
        path.mkdir(parents=True)
    first = project.shard_file(0)
    first.write_bytes(b"".join(jsonlines.dumps(record) + b"\n" for record in records(SHARD_SIZE)))
    numbers = range(count // SHARD_SIZE)
    size, digest = first.stat().st_size, caption_log.file_digest(first)
    shards = [
        ShardRow(
            number=number, first=number * SHARD_SIZE, count=SHARD_SIZE, bytes=size, digest=digest
        )
        for number in numbers
    ]
    rows = [
        ModelRow(
            id=number,
            position=number,
            name=f"model-{number}",
            family="dry-run",
            checkpoint=None,
            settings={"prompt": "Say"},
            settings_hash=f"{number}",
        )
        for number in range(1, models + 1)
    ]
    migrate(project.database)
    row = ProjectRow(
        uid=uuid.uuid4().hex,
        created=time.time(),
        records=len(numbers) * SHARD_SIZE,
        image_root=str(folder),
    )
    with writing(project.database) as connection:
        projects.create(connection, row, rows, shards)
    link(first, [project.shard_file(number) for number in numbers[1:]])
    project_state = ProjectState.load(project, Policy())
    for model in rows:
        log = project.caption_log_file(model, 0)
        log.parent.mkdir()
        write_log(log, model.id)
        completion, _ = complete_log(log, SHARD_SIZE, model.family, Shearing())
        (sheared,) = log.parent.glob("*.sheared-*")
        link(log, [project.caption_log_file(model, number) for number in numbers[1:]])
        names = [sheared.name.replace("00000", f"{number:05}", 1) for number in numbers[1:]]
        link(sheared, [log.parent / name for name in names])
        values = {name: getattr(completion, name) for name in completion.__slots__}
        for task in [t for t in project_state.ledger.tasks.values() if t.model_id == model.id]:
            project_state.ledger.mark_done(task.id, time.time(), **values)
    project_state.commit()
    return project


def link(source: Path, names: list[Path]) -> None:
    """Make hard links of these names to the file."""
    for name in names:
        os.link(source, name)


def write_log(log: Path, seed: int) -> None:
    """Write captions of two sentences, the second cut by the limit of 30 tokens."""
    firsts, seconds = sentences(SHARD_SIZE, 11, seed), sentences(SHARD_SIZE, 7, seed + 100)
    log.write_bytes(
        b"".join(
            jsonlines.dumps({"i": i, "raw": f"{first}. {second}", "tokens": 30, "finish": "length"})
            + b"\n"
            for i, (first, second) in enumerate(zip(firsts, seconds, strict=True))
        )
    )
