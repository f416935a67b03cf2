"""Exports: the captions of a project, written in the form that a training program reads.

For every image the original caption comes first, if it is asked for, then the models in project
order. The same project state gives the same bytes. The output is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.exports.encode_job import EncodeJob, encode_shard
from engine.datasets.exports.formats import ExportFormat, ImageMode, format_named
from engine.datasets.exports.shard_captions import CaptionFilter, ExportCounts, ExportSource
from engine.datasets.exports.source import open_export_source
from engine.datasets.exports.writers.base import ExportPlan
from engine.process.pool import map_on_all_cores
from engine.project.damage import Damage, DamagedFiles
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.protected_files import refuse_protected
from engine.utils.atomic_write import atomic_write
from engine.utils.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to export, and how."""

    models: tuple[str, ...] = ()
    """Names of models; none means all."""
    with_original: bool = False
    """True if the original captions are exported too."""
    image_root: str | None = None
    """Put before every relative image path."""
    path_map: tuple[tuple[str, str], ...] = ()
    """(old prefix, new prefix) of image paths; the first old one that fits is replaced."""
    allow_partial: bool = False
    """True if tasks may be unfinished, failed or damaged; their captions are left out as far as
    they are missing or damaged."""
    format: str = "json"
    """A name in `engine.datasets.exports.formats`."""
    min_words: int = 0
    """Shorter captions of the models are left out; the original is exported as it is."""
    only_finished: bool = False
    """True if captions whose sentence was cut by the cap on new tokens are left out."""
    provenance: bool = False
    """True if model, checkpoint, prompt, seed and finish reason of every caption are written."""
    images: ImageMode | None = None
    """What to do with the image files, for formats that have them; None is the format's own way."""
    without_flagged: bool = False
    """True if the records that a person flagged are left out."""
    force: bool = False
    """True if a file that is there may be replaced, but no input and nothing of a project."""


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far an export is."""

    shards_done: int
    shards: int
    captions: int
    """Captions written so far."""
    bytes: int
    """Bytes written so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """What an export has written. Fields without a docstring are as in `ExportCounts`."""

    path: Path
    """The file or folder."""
    records: int
    captions: int
    failed: int
    empty: int
    missing: int
    bytes: int
    """Size of the file, or of all files of the folder, in bytes."""
    filtered: int = 0
    unfit: int = 0
    flagged: int = 0
    damaged: int = 0
    damage: tuple[Damage, ...] = ()


class UnfinishedTasks(Exception):
    """Raised if some tasks are not done; nothing was written. The exit code is 1."""


class ExportCancelled(Exception):
    """Raised if a person cancelled the export; nothing was written."""


def export(
    project: Project,
    out: Path,
    options: ExportOptions = ExportOptions(),
    progress: Callable[[ExportProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportResult:
    """Write the export to `out`, whole or not at all.

    `progress` is called after every shard; the export is given up once `cancelled` returns True.
    Raises `BadInput`, `UnfinishedTasks`, `ExportCancelled`, and `DamagedFiles` with all files that
    are damaged, unless the options allow for them.
    """
    export_format = format_named(options.format)
    source = open_export_source(project, options.models)
    refuse_unfinished(source, options)
    out = check_target(project, out, export_format)
    plan = make_plan(source, options, export_format, out.name)
    caption_filter = CaptionFilter(
        with_originals=plan.with_original,
        min_words=options.min_words,
        only_finished=options.only_finished,
        with_finishes=options.provenance,
        without_flagged=options.without_flagged,
    )
    counts = ExportCounts()
    written = 0
    with atomic_write(out, options.force) as part:
        writer = export_format.writer_class()(part, plan)
        jobs = (
            EncodeJob(export_format, plan, caption_filter, source.of_shard(shard), part)
            for shard in source.shards
        )
        with closing(map_on_all_cores(encode_shard, jobs)) as results:
            for shards_done, (encoded, shard_counts) in enumerate(results, start=1):
                counts.add(shard_counts)
                written += writer.append(encoded.pieces) + encoded.bytes
                if cancelled is not None and cancelled():
                    raise ExportCancelled
                if progress is not None:
                    shards = len(source.shards)
                    progress(ExportProgress(shards_done, shards, counts.captions, written))
        writer.close()
        if counts.damage and not options.allow_partial:
            raise DamagedFiles(counts.damage)
        size = size_of(part)
    return ExportResult(
        path=out,
        records=counts.records,
        captions=counts.captions,
        failed=counts.failed,
        empty=counts.empty,
        missing=counts.missing,
        bytes=size,
        filtered=counts.filtered,
        unfit=counts.unfit,
        flagged=counts.flagged,
        damaged=counts.damaged,
        damage=counts.damage,
    )


def make_plan(
    source: ExportSource, options: ExportOptions, export_format: ExportFormat, out_name: str
) -> ExportPlan:
    """Return the plan of an export to a file or folder of this name.

    Raises `BadInput` for options that the format cannot follow."""
    if options.provenance and not export_format.provenance:
        raise BadInput(f"the {export_format.name} format has no place for provenance")
    modes = export_format.image_modes
    if options.images and options.images not in modes:
        ways = f"takes --images {' or '.join(modes)}" if modes else "holds no images"
        raise BadInput(f"the {export_format.name} format {ways}")
    return ExportPlan(
        models=source.models,
        with_original=options.with_original or export_format.needs_original,
        provenance=options.provenance,
        image_root=options.image_root,
        path_map=options.path_map,
        image_mode=options.images or (modes[0] if modes else "none"),
        image_paths=image_paths_of(source.project, source.settings),
        out_name=out_name,
    )


def refuse_unfinished(source: ExportSource, options: ExportOptions) -> None:
    """Raise `UnfinishedTasks` if tasks are not done, unless the options allow that."""
    model_ids = {model.id for model in source.models}
    tasks = [task for task in source.tasks.values() if task.model_id in model_ids]
    failed = sum(task.state == "failed" for task in tasks)
    unfinished = sum(task.state in ("pending", "running") for task in tasks)
    if (failed or unfinished) and not options.allow_partial:
        raise UnfinishedTasks(
            f"{unfinished + failed} of {len(tasks)} tasks are not done ({unfinished} unfinished,"
            f" {failed} failed): finish them with 'run', or export what there is with"
            " --allow-partial"
        )


def check_target(project: Project, out: Path, export_format: ExportFormat) -> Path:
    """Return `out` as an absolute path. Raises `BadInput` if nothing may be written there."""
    out = out.expanduser().absolute()
    if export_format.folder and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(
            f"{out} is not an empty folder: {export_format.name} is written to a new one"
        )
    if not export_format.folder and out.is_dir():
        raise BadInput(f"{out} is a folder: name a file, such as {out / 'captions.json'}")
    if not out.parent.is_dir():
        raise BadInput(f"there is no folder {out.parent}")
    refuse_protected(out, project=project)
    return out


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; links count nothing."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())
