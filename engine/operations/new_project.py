"""Making a project: the input is checked and cut into shards, and the database is filled.

This happens in a hidden folder inside the project's folder, so that it is done whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

from db import projects
from db.connection import migrate, writing
from db.rows import ModelRow, ProjectRow, ShardRow
from engine.captioners.model_families import is_scorer
from engine.captioners.registry import FAMILIES, ModelChoice
from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.sharding import DEFAULT_SHARD_SIZE, even_sizes, write_shards
from engine.images.image import ImagePaths
from engine.operations.imports.caption_import import NO_PROGRESS, CaptionImport, ImportProgress
from engine.operations.imports.import_result import ImportResult
from engine.operations.imports.new_project_imports import import_all, imported_images, with_imported
from engine.operations.input_checks import (
    Duplicates,
    ImageCheck,
    InputFindings,
    check_images,
    image_paths,
)
from engine.operations.odd_paths import PATH_SHOWN, odd_path, refuse_relative
from engine.project import manifest, outside_images, own_commands
from engine.project.caption_log import sync_folder
from engine.project.layout import Project
from engine.project.prompt_checks import count_lacking
from engine.project.protected_files import save_inputs
from engine.shearing.shear import Shearing
from engine.utils.atomic_write import sync_to_disk
from engine.utils.errors import BadInput

REASONS_SHOWN = 3
"""Most reasons why there is no record that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """The specification of a project to be made."""

    captions: Sequence[Path]
    """The inputs, whose records are taken in this order; none if the records are the images of
    `imports`, without original captions."""
    models: Sequence[ModelChoice]
    imports: Sequence[CaptionImport] = ()
    """Captions that were made elsewhere, which the project begins with."""
    image_root: Path | None = None
    """None is the folder of the first caption file, or the first input if that is a folder."""
    path_map: tuple[tuple[str, str], ...] = ()
    """See `ImagePaths.path_map`."""
    shard_size: int | None = None
    """Records per shard; None means `DEFAULT_SHARD_SIZE`."""
    shards: int | None = None
    """The number of shards; takes precedence over `shard_size`."""
    allow_outside: bool = False
    """True if image paths may climb out of the image root, and servers get images outside it."""
    allow_missing: bool = False
    """True if the project is made although none of the first images exists."""
    options: ReadOptions = ReadOptions()  # noqa: RUF009 (frozen)
    """How the inputs are read."""
    check_images: bool = False
    """True if every image is opened and decoded, not only a sample."""
    skip_bad: bool = False
    """True if records that cannot be read are left out; otherwise the first one is an error."""
    shearing: Shearing = Shearing()  # noqa: RUF009 (frozen)

    def root(self) -> Path:
        """Return the image root as an absolute path."""
        if self.image_root is not None:
            return self.image_root.expanduser().absolute()
        return default_root([*self.captions, *self.imported_files][0])

    @property
    def imported_files(self) -> list[Path]:
        """The files of all imports."""
        return [path for each in self.imports for path in each.files]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedProject:
    """A project that was made, with what its input showed."""

    project: Project
    records: int
    """The number of records."""
    shards: int
    """The number of shards."""
    images_checked: int
    """The number of first images whose files were looked for."""
    images_present: int
    """The number of these images that exist."""
    outside: int
    """The number of records whose path climbs out of the image root: they will fail."""
    outside_example: str
    """The first of these paths."""
    leaving: int
    """The number of other records whose path, as written, leads out of the image root."""
    leaving_example: str
    """The first of these paths."""
    outside_allowed: bool
    """True if servers may get these images, and images that links lead out to."""
    duplicates: Duplicates
    images: ImageCheck
    """The images that were opened: a sample, or all."""
    lacking_texts: Mapping[str, int]
    """By key the number of records without a text for a prompt that asks for it: they will fail."""
    report: InputReport
    """What the readers have seen and left out."""
    scores_originals: bool
    """True if no model captions, so that scorers have nothing but the original captions."""
    imports: tuple[ImportResult, ...] = ()
    """What was imported."""


def default_root(first: Path) -> Path:
    """Return the image root where none is named: the first input, or the folder that it is in."""
    first = first.absolute()
    return first if first.is_dir() else first.parent


def create(
    folder: Path,
    new_project: NewProject,
    progress: Callable[[int], None] = lambda records: None,
    checking: Callable[[int, int], None] = lambda images, records: None,
    importing: ImportProgress = NO_PROGRESS,
) -> CreatedProject:
    """Make the project in `folder`, or leave nothing behind.

    `progress` gets the number of records read, `checking` those of images opened and of records.
    Raises `BadInput`, and what these three raise.
    """
    project = Project.at(folder)
    refuse_occupied(project)
    if not new_project.captions and not new_project.imports:
        raise BadInput("name the inputs, or files to import with --import NAME=FILE")
    if not new_project.models and not new_project.imports:
        raise BadInput("name at least one model: --model dry-run, --model llava-1.5=FOLDER")
    names = [model.name for model in new_project.models]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate:
        raise BadInput(f"model {duplicate} is named twice")
    root = new_project.root()
    findings = InputFindings(ImagePaths(str(root), new_project.path_map, new_project.allow_outside))
    folder_is_new = not project.folder.exists()
    stage = Project(project.folder / f".new-{uuid.uuid4().hex[:8]}")
    try:
        stage.shards.mkdir(parents=True)
        report = InputReport(skip_bad=new_project.skip_bad)
        try:
            shards = write_shard_files(stage, new_project, findings, progress, report)
        except BadRecord as error:
            raise BadInput(f"{error}; --skip-bad leaves out what cannot be read") from error
        if not findings.records:
            reasons = [*report.skipped.messages, *report.reasons()]
            raise BadInput(f"no record can be read: {'; '.join(reasons[:REASONS_SHOWN])}")
        refuse_missing_images(findings, root, new_project.allow_missing)
        scores_originals = not new_project.imports and all(
            is_scorer(model.family) for model in new_project.models
        )
        if scores_originals and not report.captioned:
            raise BadInput(
                "there is nothing to score: no model captions, and no record has an original"
                " caption; name a model that captions, too"
            )
        files = [stage.shard_file(shard.number) for shard in shards]
        lacking_texts = count_lacking(new_project.models, files)
        duplicates = findings.duplicates(files)
        image_check = check_images(
            findings.paths,
            image_paths(files) if new_project.check_images else findings.sample,
            lambda images: checking(images, findings.records),
        )
        fill_database(
            stage=stage,
            project=project,
            new_project=new_project,
            findings=findings,
            shards=shards,
            root=root,
        )
        imports = import_all(stage, new_project.imports, findings.paths, importing)
        move_into_place(stage, project)
    except OSError as error:
        remove(stage, project, folder_is_new)
        raise BadInput(f"cannot make {folder}: {error.strerror or error}") from error
    except BaseException:
        remove(stage, project, folder_is_new)
        raise
    return CreatedProject(
        project=project,
        records=findings.records,
        shards=len(shards),
        images_checked=findings.images_checked,
        images_present=findings.images_present,
        outside=findings.outside,
        outside_example=findings.outside_example,
        leaving=findings.leaving,
        leaving_example=findings.leaving_example,
        outside_allowed=new_project.allow_outside,
        duplicates=duplicates,
        images=image_check,
        lacking_texts=lacking_texts,
        report=report,
        scores_originals=scores_originals,
        imports=imports,
    )


def refuse_occupied(project: Project) -> None:
    """Raise `BadInput` if something in the folder is in the way of a new project."""
    if project.database.exists():
        raise BadInput(f"{project.folder} already holds a project: choose another folder")
    own = (project.shards, project.captions, project.logs, project.manifest, project.inputs)
    for path in (*own, project.lock):
        if os.path.lexists(path):
            raise BadInput(f"{path} exists already: choose another folder")
    if project.folder.exists() and not project.folder.is_dir():
        raise BadInput(f"{project.folder} is a file: name a folder for the project")


def write_shard_files(
    stage: Project,
    new_project: NewProject,
    findings: InputFindings,
    progress: Callable[[int], None],
    report: InputReport,
) -> list[ShardRow]:
    """Cut the records of all inputs into shard files. Raises `BadInput`, `OSError`.

    `findings` and `report` take what is seen of the records on the way.
    """
    root = new_project.root()

    def batches(report: InputReport) -> Iterator[RecordBatch]:
        if not new_project.captions:
            yield from imported_images(new_project.imports, findings.paths, new_project.skip_bad)
        for path in new_project.captions:
            source = InputSource(
                path=path,
                root=root,
                options=new_project.options,
            )
            lies_elsewhere = new_project.image_root is None and default_root(path) != root
            for batch in read_input(source, report):
                if lies_elsewhere:
                    refuse_relative(batch.images, path, findings.paths)
                yield batch

    def on_batch(first: int, batch: RecordBatch) -> None:
        findings.add_batch(first, batch)
        progress(findings.records)

    if new_project.shards is None:
        sizes: Iterator[int] = repeat(new_project.shard_size or DEFAULT_SHARD_SIZE)
    else:
        # The sizes of a number of shards need a first pass over the input.
        count = sum(len(batch) for batch in batches(InputReport(skip_bad=new_project.skip_bad)))
        if new_project.shards > count:
            raise BadInput(f"{new_project.shards} shards are more than the {count:,} records")
        sizes = chain(even_sizes(count, new_project.shards))
    return write_shards(batches(report), sizes, stage.shard_file, on_batch)


def refuse_missing_images(findings: InputFindings, root: Path, allow_missing: bool) -> None:
    """Raise `BadInput` if the image root seems to be the wrong one."""
    seen = f"{findings.images_present:,} of the first {findings.images_checked:,} images were found"
    if not root.is_dir():
        raise BadInput(f"the image root {root} does not exist ({seen}): give --image-root DIR")
    if not findings.images_present and not allow_missing:
        image = findings.missing_example
        advice = odd_path(image) or (
            "give --image-root DIR or --path-map OLD=NEW (or --allow-missing if they will come"
            " later)"
        )
        raise BadInput(
            f"{seen} under {root}; {image[:PATH_SHOWN]!r}, for example, was not: {advice}"
        )


def fill_database(
    stage: Project,
    project: Project,
    new_project: NewProject,
    findings: InputFindings,
    shards: Sequence[ShardRow],
    root: Path,
) -> None:
    """Write database and manifest. An image root inside the project is stored as relative."""
    inside = root.is_relative_to(project.folder)
    row = ProjectRow(
        uid=uuid.uuid4().hex,
        created=time.time(),
        records=findings.records,
        image_root=str(root.relative_to(project.folder) if inside else root),
        path_map=new_project.path_map,
        allow_outside=new_project.allow_outside,
        witness=findings.witness,
        shear_mode=new_project.shearing.mode,
        shear_max_words=new_project.shearing.max_words,
    )
    choices = with_imported(new_project.models, new_project.imports)
    models = [
        ModelRow(
            id=number,
            position=number,
            name=choice.name,
            family=choice.family,
            checkpoint=choice.checkpoint,
            settings=choice.settings,
            settings_hash=choice.settings_hash,
        )
        for number, choice in enumerate(choices, start=1)
    ]
    migrate(stage.database)
    with writing(stage.database) as connection:
        projects.create(connection, row, models, shards)
    manifest.save(stage, row, models, list(shards))
    save_inputs(stage, [*new_project.captions, *new_project.imported_files])
    outside_images.name_root(project, row)
    own_commands.allow(project, row.uid, models)
    if new_project.allow_outside and any(
        FAMILIES[choice.family].remote for choice in new_project.models
    ):
        outside_images.allow(project, row, models, shards)


def move_into_place(stage: Project, project: Project) -> None:
    """Move everything from the hidden folder into the project's folder.

    What a run relies on outlives a power cut: shards are found by the digests in the database.
    """
    sync_to_disk(stage.shards)
    sync_folder(stage.shards)
    for folder in (stage.captions, stage.logs):
        folder.mkdir(exist_ok=True)  # imports have made that of the captions
    # The database moves last: a folder without it is no project.
    own = (stage.shards, stage.captions, stage.logs, stage.inputs, stage.manifest, stage.database)
    for source in own:
        source.rename(project.folder / source.name)
    stage.folder.rmdir()
    sync_folder(project.folder)
    sync_folder(project.folder.parent)


def remove(stage: Project, project: Project, folder_is_new: bool) -> None:
    """Remove the hidden folder, and the project's folder if it did not exist before."""
    shutil.rmtree(stage.folder, ignore_errors=True)
    if folder_is_new:
        shutil.rmtree(project.folder, ignore_errors=True)
