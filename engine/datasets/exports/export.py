"""Writing what was captioned, in the form that a trainer reads.

Per image the original caption first if asked for, then the models in project order. The same
project state gives the same bytes. The output is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from db import progress as queries
from db.connection import reading
from engine.datasets.exports.encode_job import Job, encode
from engine.datasets.exports.formats import Format, Images, format_named
from engine.datasets.exports.shard_captions import CaptionFilter, Source, Tally
from engine.datasets.exports.source import open_source
from engine.datasets.exports.writers.base import Plan
from engine.images.image import ImagePaths
from engine.process.pool import on_all_cores
from engine.project.layout import Project
from engine.utils.atomic_write import whole
from engine.utils.errors import BadInput
from engine.utils.plurals import plural


@dataclass(frozen=True, slots=True)
class ExportOptions:
    models: tuple[str, ...] = ()
    """Names; none means all."""
    with_original: bool = False
    image_root: str | None = None
    """Put before every relative image path."""
    path_map: tuple[tuple[str, str], ...] = ()
    allow_partial: bool = False
    format: str = "json"
    """A name in `engine.datasets.exports.formats`."""
    min_words: int = 0
    """Shorter captions of the models are left out; the original is kept as it is."""
    only_finished: bool = False
    """Leave out captions whose sentence was cut by the cap on new tokens."""
    provenance: bool = False
    """Model, checkpoint, prompt, seed and finish reason of every caption."""
    images: Images | None = None
    """For formats with image files; None is the format's own way."""
    without_flagged: bool = False
    """Leave out the records that a person flagged."""


@dataclass(frozen=True, slots=True)
class ExportProgress:
    shards_done: int
    shards: int
    captions: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExportResult:
    """`failed` and `empty` captions are left out, `missing` ones are not there yet, `filtered`
    ones were not wanted, `flagged` ones are of records that a person flagged; `unfit` counts images
    that the format cannot hold."""

    path: Path
    records: int
    captions: int
    failed: int
    empty: int
    missing: int
    bytes: int
    filtered: int = 0
    unfit: int = 0
    flagged: int = 0


class Unfinished(Exception):
    """Some tasks are not done; nothing was written. Exit code 1."""


class Cancelled(Exception):
    """Nothing was written."""


def export(
    project: Project,
    out: Path,
    options: ExportOptions = ExportOptions(),
    progress: Callable[[ExportProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportResult:
    """Writes `out` whole or not at all. Raises `BadInput`, `Unfinished`, `Cancelled`."""
    form = format_named(options.format)
    source = open_source(project, options.models)
    refuse_unfinished(source, options)
    out = check_target(project, out, form)
    plan = plan_of(source, options, form)
    wanted = CaptionFilter(
        plan.with_original,
        options.min_words,
        options.only_finished,
        options.provenance,
        options.without_flagged,
    )
    tally = Tally()
    written = 0
    with whole(out) as part:
        writer = form.writer()(part, plan)
        jobs = (Job(form, plan, wanted, source.of_shard(shard), part) for shard in source.shards)
        with closing(on_all_cores(encode, jobs)) as shards:
            for done, (encoded, counts) in enumerate(shards, start=1):
                tally.add(counts)
                written += writer.append(encoded.pieces) + encoded.bytes
                if cancelled is not None and cancelled():
                    raise Cancelled
                if progress is not None:
                    progress(ExportProgress(done, len(source.shards), tally.captions, written))
        writer.close()
        size = size_of(part)
    return ExportResult(
        out,
        tally.records,
        tally.captions,
        tally.failed,
        tally.empty,
        tally.missing,
        size,
        tally.filtered,
        tally.unfit,
        tally.flagged,
    )


def plan_of(source: Source, options: ExportOptions, form: Format) -> Plan:
    """Raises `BadInput` for what the format has no place for."""
    if options.provenance and not form.provenance:
        raise BadInput(f"the {form.name} format has no place for provenance")
    if options.images and options.images not in form.images:
        ways = f"takes --images {' or '.join(form.images)}" if form.images else "holds no images"
        raise BadInput(f"the {form.name} format {ways}")
    settings = source.settings
    return Plan(
        source.models,
        options.with_original or form.original,
        options.provenance,
        options.image_root,
        options.path_map,
        options.images or (form.images[0] if form.images else "none"),
        ImagePaths(
            str(source.project.image_root(settings)), settings.path_map, settings.allow_outside
        ),
    )


def refuse_unfinished(source: Source, options: ExportOptions) -> None:
    chosen = {model.id for model in source.models}
    tasks = [task for task in source.tasks.values() if task.model_id in chosen]
    failed = sum(task.state == "failed" for task in tasks)
    unfinished = sum(task.state in ("pending", "running") for task in tasks)
    if (failed or unfinished) and not options.allow_partial:
        raise Unfinished(
            f"{unfinished + failed} of {len(tasks)} tasks are not done ({unfinished} unfinished,"
            f" {failed} failed): finish them with 'run', or export what there is with"
            " --allow-partial"
        )


def check_target(project: Project, out: Path, form: Format) -> Path:
    out = out.expanduser().absolute()
    if form.folder and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is not an empty folder: {form.name} is written to a new one")
    if not form.folder and out.is_dir():
        raise BadInput(f"{out} is a folder: name a file, such as {out / 'captions.json'}")
    if not out.parent.is_dir():
        raise BadInput(f"there is no folder {out.parent}")
    own = (project.shards, project.captions, project.logs, project.database, project.lock)
    inside = out.is_relative_to(project.folder) and out.parent != project.folder
    if inside or out in (*own, project.folder):
        raise BadInput(f"{out} lies among the project's own files: write the export elsewhere")
    return out


def size_of(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())


def preview(project: Project, options: ExportOptions) -> Iterator[str]:
    """What an export would leave out, in words."""
    with reading(project.database) as connection:
        sums = queries.sums(connection)
    failed = sum(row.failed for row in sums)
    left = sum(row.left for row in sums)
    if failed:
        yield f"{plural(failed, 'failed record')} left out"
    if left:
        yield f"{plural(left, 'record')} not captioned yet"
