"""Making a project: the input is checked and cut, the database is filled, all or nothing."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

from db import projects
from db.connection import migrate, writing
from db.rows import ModelRow, ProjectRow, ShardRow
from engine.captioners.registry import ModelChoice
from engine.datasets.inputs.batch import Batch
from engine.datasets.inputs.open_input import Input, read_input
from engine.datasets.inputs.skipped import BadRecord, Skipped
from engine.datasets.sharding import DEFAULT_SHARD, even_sizes, write_shards
from engine.images.image import ImagePaths
from engine.operations.input_checks import Duplicates, ImageCheck, InputFindings, images_of, look_at
from engine.project import manifest
from engine.project.layout import Project
from engine.shearing.shear import Shearing
from engine.utils.errors import BadInput


@dataclass(frozen=True, slots=True)
class NewProject:
    """What `new` was asked for."""

    captions: Sequence[Path]
    models: Sequence[ModelChoice]
    image_root: Path | None = None
    """None is the folder of the first caption file, or the first input if that is a folder."""
    path_map: tuple[tuple[str, str], ...] = ()
    shard_size: int | None = None
    shards: int | None = None
    allow_outside: bool = False
    allow_missing: bool = False
    image_column: str | None = None
    caption_column: str | None = None
    """Names in CSV and Parquet; None means the usual ones."""
    check_images: bool = False
    """Open and decode every image, not only a sample."""
    skip_bad: bool = False
    """Leave out records that cannot be read; else the first is an error."""
    shearing: Shearing = Shearing()  # noqa: RUF009 (frozen)

    def root(self) -> Path:
        """The image root, absolute."""
        if self.image_root is not None:
            return self.image_root.expanduser().absolute()
        first = self.captions[0].absolute()
        return first if first.is_dir() else first.parent


@dataclass(frozen=True, slots=True)
class Created:
    project: Project
    records: int
    shards: int
    looked: int
    present: int
    outside: int
    """Records whose path climbs out of the image root: they will fail."""
    duplicates: Duplicates
    images: ImageCheck
    """A sample, or all."""
    skipped: Skipped


def create(
    folder: Path,
    wanted: NewProject,
    progress: Callable[[int], None] = lambda records: None,
    checking: Callable[[int, int], None] = lambda images, records: None,
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
    root = wanted.root()
    found = InputFindings(ImagePaths(str(root), wanted.path_map, wanted.allow_outside))
    made_folder = not project.folder.exists()
    stage = Project(project.folder / f".new-{uuid.uuid4().hex[:8]}")
    try:
        stage.shards.mkdir(parents=True)
        skipped = Skipped()
        try:
            shards = cut(stage, wanted, found, progress, skipped)
        except BadRecord as error:
            raise BadInput(f"{error}; --skip-bad leaves out what cannot be read") from error
        check_images(found, root, wanted.allow_missing)
        files = [stage.shard_file(shard.number) for shard in shards]
        duplicates = found.duplicates(files)
        looked = look_at(
            found.paths,
            images_of(files) if wanted.check_images else found.sample,
            lambda images: checking(images, found.records),
        )
        fill(stage, project, wanted, found, shards, root)
        move_in(stage, project)
    except OSError as error:
        remove(stage, project, made_folder)
        raise BadInput(f"cannot make {folder}: {error.strerror or error}") from error
    except BaseException:
        remove(stage, project, made_folder)
        raise
    return Created(
        project,
        found.records,
        len(shards),
        found.looked,
        found.present,
        found.outside,
        duplicates,
        looked,
        skipped,
    )


def refuse_occupied(project: Project) -> None:
    if project.database.exists():
        raise BadInput(f"{project.folder} already holds a project: choose another folder")
    for path in (project.shards, project.captions):
        if path.exists():
            raise BadInput(f"{path} is in the way: choose another folder")
    if project.folder.exists() and not project.folder.is_dir():
        raise BadInput(f"{project.folder} is a file: name a folder for the project")


def cut(
    stage: Project,
    wanted: NewProject,
    found: InputFindings,
    progress: Callable[[int], None],
    skipped: Skipped,
) -> list[ShardRow]:
    root = wanted.root()

    def batches(skipped: Skipped) -> Iterator[Batch]:
        bad = skipped if wanted.skip_bad else None
        for path in wanted.captions:
            columns = wanted.image_column, wanted.caption_column
            yield from read_input(Input(path, root, *columns, bad))

    def look(place: int, batch: Batch) -> None:
        found.look(place, batch)
        progress(found.records)

    if wanted.shards is None:
        sizes: Iterator[int] = repeat(wanted.shard_size or DEFAULT_SHARD)
    else:
        count = sum(len(batch) for batch in batches(Skipped()))
        if wanted.shards > count:
            raise BadInput(f"{wanted.shards} shards are more than the {count:,} records")
        sizes = chain(even_sizes(count, wanted.shards))
    return write_shards(batches(skipped), sizes, stage.shard_file, look)


def check_images(found: InputFindings, root: Path, allow_missing: bool) -> None:
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
    found: InputFindings,
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
        shear_mode=wanted.shearing.mode,
        shear_max_words=wanted.shearing.max_words,
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
