"""Making a project: the input is checked and cut, the database is filled, all or nothing."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

from db import projects
from db.connect import migrate, writing
from db.rows import ModelRow, ProjectRow, ShardRow
from engine import manifest
from engine.captioners.registry import ModelChoice
from engine.datasets.reading import Record, read_records
from engine.datasets.splitting import DEFAULT_SHARD, even_sizes, write_shards
from engine.errors import BadInput
from engine.images import ImagePaths, ImageProblem, exists
from engine.project import Project

LOOKED_AT = 1000
"""The first records, whose images are looked for."""


@dataclass(frozen=True, slots=True)
class NewProject:
    """What `new` was asked for."""

    captions: Sequence[Path]
    models: Sequence[ModelChoice]
    image_root: Path | None = None
    """None is the folder of the first caption file."""
    path_map: tuple[tuple[str, str], ...] = ()
    shard_size: int | None = None
    shards: int | None = None
    allow_outside: bool = False
    allow_missing: bool = False


@dataclass(slots=True)
class Found:
    """What was seen of the input on the way through."""

    paths: ImagePaths
    records: int = 0
    outside: int = 0
    looked: int = 0
    present: int = 0
    witness: str | None = None

    def look(self, place: int, record: Record) -> None:
        self.records += 1
        try:
            self.paths.resolve(record.image)
        except ImageProblem as problem:
            self.outside += problem.kind == "outside"
        if place < LOOKED_AT:
            self.looked += 1
            if exists(self.paths, record.image):
                self.present += 1
                self.witness = self.witness or record.image


@dataclass(frozen=True, slots=True)
class Created:
    project: Project
    records: int
    shards: int
    looked: int
    present: int
    outside: int
    """Records whose path climbs out of the image root: they will fail."""
    warnings: list[str] = field(default_factory=list)


def create(
    folder: Path, wanted: NewProject, progress: Callable[[int], None] = lambda records: None
) -> Created:
    """Makes the project in `folder`, or leaves nothing behind. Raises `BadInput`."""
    project = Project(folder.absolute())
    refuse_occupied(project)
    if not wanted.models:
        raise BadInput("name at least one model: --model dry-run, --model llava-1.5=FOLDER")
    names = [model.name for model in wanted.models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BadInput(f"model {twice} is named twice")
    root = (wanted.image_root or wanted.captions[0].absolute().parent).expanduser().absolute()
    found = Found(ImagePaths(str(root), wanted.path_map, wanted.allow_outside))
    made_folder = not project.folder.exists()
    stage = Project(project.folder / f".new-{uuid.uuid4().hex[:8]}")
    try:
        stage.shards.mkdir(parents=True)
        shards = cut(stage, wanted, found, progress)
        check_images(found, root, wanted.allow_missing)
        fill(stage, project, wanted, found, shards, root)
        move_in(stage, project)
    except OSError as error:
        remove(stage, project, made_folder)
        raise BadInput(f"cannot make {folder}: {error.strerror or error}") from error
    except BaseException:
        remove(stage, project, made_folder)
        raise
    return Created(project, found.records, len(shards), found.looked, found.present, found.outside)


def refuse_occupied(project: Project) -> None:
    if project.database.exists():
        raise BadInput(f"{project.folder} already holds a project: choose another folder")
    for path in (project.shards, project.captions):
        if path.exists():
            raise BadInput(f"{path} is in the way: choose another folder")
    if project.folder.exists() and not project.folder.is_dir():
        raise BadInput(f"{project.folder} is a file: name a folder for the project")


def cut(
    stage: Project, wanted: NewProject, found: Found, progress: Callable[[int], None]
) -> list[ShardRow]:
    def records() -> Iterator[Record]:
        for path in wanted.captions:
            yield from read_records(path)

    def look(place: int, record: Record) -> None:
        found.look(place, record)
        if place % 1000 == 0:
            progress(place)

    if wanted.shards is None:
        sizes: Iterator[int] = repeat(wanted.shard_size or DEFAULT_SHARD)
    else:
        count = sum(1 for _ in records())
        if wanted.shards > count:
            raise BadInput(f"{wanted.shards} shards are more than the {count:,} records")
        sizes = chain(even_sizes(count, wanted.shards))
    return write_shards(records(), sizes, stage.shard_file, look)


def check_images(found: Found, root: Path, allow_missing: bool) -> None:
    seen = f"{found.present:,} of the first {found.looked:,} images were found"
    if not root.is_dir():
        raise BadInput(f"the image root {root} does not exist ({seen}): give --image-root DIR")
    if not found.present and not allow_missing:
        raise BadInput(
            f"{seen} under {root}: give --image-root DIR or --path-map OLD=NEW"
            " (or --allow-missing if they will come later)"
        )


def fill(
    stage: Project,
    project: Project,
    wanted: NewProject,
    found: Found,
    shards: Sequence[ShardRow],
    root: Path,
) -> None:
    inside = root.is_relative_to(project.folder)
    row = ProjectRow(
        uid=uuid.uuid4().hex,
        created=time.time(),
        records=found.records,
        image_root=str(root.relative_to(project.folder) if inside else root),
        path_map=wanted.path_map,
        allow_outside=wanted.allow_outside,
        witness=found.witness,
    )
    models = [
        ModelRow(
            number,
            number,
            choice.name,
            choice.family,
            choice.checkpoint,
            choice.settings,
            choice.settings_hash,
        )
        for number, choice in enumerate(wanted.models, start=1)
    ]
    migrate(stage.database)
    with writing(stage.database) as connection:
        projects.create(connection, row, models, shards)
    manifest.save(stage, row, models, list(shards))


def move_in(stage: Project, project: Project) -> None:
    """The database last: a folder without it is no project."""
    for folder in (stage.captions, stage.logs):
        folder.mkdir()
    for source in (stage.shards, stage.captions, stage.logs, stage.manifest, stage.database):
        source.rename(project.folder / source.name)
    stage.folder.rmdir()


def remove(stage: Project, project: Project, made_folder: bool) -> None:
    shutil.rmtree(stage.folder, ignore_errors=True)
    if made_folder:
        shutil.rmtree(project.folder, ignore_errors=True)
