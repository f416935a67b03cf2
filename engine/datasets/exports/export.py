"""Exports: the captions of a project, written in the form that a training program reads.

For every image the original caption comes first, if it is asked for, then the models in project
order. The same project state gives the same bytes. The output is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from db.rows import ShardRow, TaskErrorCause
from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.encode_job import EncodeJob, encode_shard
from engine.datasets.exports.first_pass import FirstPass, judge_captions
from engine.datasets.exports.formats import ExportFormat, ImageMode, format_named
from engine.datasets.exports.hints import export_hints
from engine.datasets.exports.image_files import parse_encoding, shared_rules
from engine.datasets.exports.path_hints import first_images
from engine.datasets.exports.shard_captions import CaptionFilter, ExportSource
from engine.datasets.exports.source import open_export_source
from engine.datasets.exports.writers.base import ORIGINAL, ExportPlan, QualityFields
from engine.process.pool import map_on_all_cores
from engine.project.damage import DamagedFiles
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.protected_files import refuse_protected
from engine.project.shard_file import ShardDamage, inspect_shard, shard_damage
from engine.quality.quality_filter import QualityFilter
from engine.utils.atomic_write import atomic_write
from engine.utils.errors import BadInput

RESERVED_COLUMNS = frozenset(
    ("image", "image_path", "file_name", "key", "uid", "captions", "provenance", ORIGINAL)
)
"""Names of columns that a model cannot have in a format with a column a model."""
QUALITY_COLUMNS = frozenset(("health", "agreement", "scores", "flags"))
"""Such names where these columns are written."""
SHARD_CAUSES: frozenset[TaskErrorCause] = frozenset(
    ("shard_missing", "shard_changed", "shard_unreadable")
)
"""The causes of a failed task that lie in its shard's file."""


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
    """True if the records and captions that a person flagged are left out."""
    only_flagged: bool = False
    """True if nothing else is exported."""
    force: bool = False
    """True if a file that is there may be replaced, but no input and nothing of a project."""
    keep_unreadable: bool = False
    """True if images that are known to be unreadable or missing, or that a person excluded, are
    exported with the captions that they have."""
    text: str | None = None
    """The caption that each image is trained on: `original`, the name of a model, `random` or
    `expand`; None is the format's own way."""
    encode: str | None = None
    """`jpg` or `webp`, also with a quality (`jpg:90`): how image files are encoded again."""
    max_side: int | None = None
    """Pixels of the longer side of images that are encoded again; larger ones are made smaller."""
    tar_bytes: int | None = None
    """The size of a tar in bytes; None gives each shard one."""
    uid: bool = False
    """True if there is a column `uid`."""
    captions_list: bool = False
    """True if there is a column `captions` with the list of all captions."""
    quality_columns: bool = False
    """True if there are columns `health`, `agreement`, `scores` and `flags`."""
    quality: QualityFilter = field(default_factory=QualityFilter)
    """What the captions must be like."""

    def filter_arguments(self) -> tuple[str, ...]:
        """Return the options of `export` that leave captions out, as they are written."""
        return (
            *[f"--min-words {self.min_words}"] * bool(self.min_words),
            *["--only-finished"] * self.only_finished,
            *["--without-flagged"] * self.without_flagged,
            *["--only-flagged"] * self.only_flagged,
            *self.quality.arguments(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportProgress:
    """How far an export is."""

    shards_done: int
    shards: int
    captions: int
    """Captions written so far."""
    bytes: int
    """Bytes written so far."""
    counting: bool = False
    """True in the first pass, which counts what stays and writes nothing."""


@dataclass(slots=True, kw_only=True)
class ExportResult(ExportCounts):
    """What an export has written, and what it left out."""

    path: Path
    """The file or folder."""
    bytes: int
    """Size of the file, or of all files of the folder, in bytes."""
    hints: tuple[str, ...] = ()
    """How the file or folder is read, and what to know of it; a line each."""


class UnfinishedTasks(Exception):
    """Raised if some tasks are not done; nothing was written. The exit code is 1."""


class ExportCancelled(Exception):
    """Raised if a person cancelled the export; nothing was written."""


def export(
    project: Project,
    out: Path,
    options: ExportOptions = ExportOptions(),
    progress: Callable[[ExportProgress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    readonly: bool = False,
    first_pass: FirstPass | None = None,
) -> ExportResult:
    """Write the export to `out`, whole or not at all; with `readonly` nothing of the project.

    `progress` is called after every shard; the export is given up once `cancelled` returns True.
    `first_pass` is what `count_captions` returned for the same options; without it, an export that
    filters by quality counts first. Raises `BadInput`, also if the filters leave nothing;
    `UnfinishedTasks`, `ExportCancelled`, and `DamagedFiles` with all files that are damaged, unless
    the options allow for them.
    """
    export_format = format_named(options.format)
    source = open_source(project, options, readonly)
    out = check_target(project, out, export_format)
    plan = make_plan(source, options, export_format, out.name)
    caption_filter = filter_of(plan, options)
    if first_pass is None and (options.quality or options.quality_columns):
        first_pass = make_first_pass(source, plan, options, progress, cancelled)
    if first_pass is not None:
        refuse_nothing(first_pass.counts, options)
    counts = ExportCounts()
    written = 0
    with atomic_write(out, options.force) as part:
        writer = export_format.writer_class()(part, plan)
        jobs = (
            EncodeJob(
                export_format,
                plan,
                caption_filter,
                source.of_shard(shard),
                part,
                None if first_pass is None else first_pass.of_shard(shard),
            )
            for shard in source.shards
        )
        with closing(map_on_all_cores(encode_shard, jobs)) as results:
            for shards_done, (encoded, shard_counts) in enumerate(results, start=1):
                counts.add(shard_counts)
                written += writer.append(encoded.pieces) + encoded.bytes
                if cancelled():
                    raise ExportCancelled
                progress(
                    ExportProgress(
                        shards_done=shards_done,
                        shards=len(source.shards),
                        captions=counts.captions,
                        bytes=written,
                    )
                )
        writer.close()
        refuse_nothing(counts, options)
        if counts.damage and not options.allow_partial:
            raise DamagedFiles(counts.damage)
        size = size_of(part)
    values = {entry.name: getattr(counts, entry.name) for entry in fields(counts)}
    hints = export_hints(export_format, plan, out, counts, first_images(source))
    return ExportResult(path=out, bytes=size, hints=hints, **values)


def count_captions(
    project: Project,
    options: ExportOptions,
    out: Path | None = None,
    progress: Callable[[ExportProgress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    readonly: bool = False,
) -> FirstPass:
    """Return which captions an export would hold, but for those that the format cannot.

    Nothing is written but health files, and with `readonly` not these. `out`, if it is given, is
    checked as `export` does. Raises what `export` raises.
    """
    export_format = format_named(options.format)
    source = open_source(project, options, readonly)
    if out is not None:
        check_target(project, out, export_format)
    plan = make_plan(source, options, export_format, "")
    return make_first_pass(source, plan, options, progress, cancelled)


def open_source(project: Project, options: ExportOptions, readonly: bool) -> ExportSource:
    """Return the project as the options take it. Raises what `export` raises."""
    source = open_export_source(project, options.models, readonly)
    if not options.allow_partial:
        refuse_unfinished(source)
    return source


def filter_of(plan: ExportPlan, options: ExportOptions) -> CaptionFilter:
    """Return which captions an export takes before it looks at their quality."""
    return CaptionFilter(
        with_originals=plan.with_original,
        min_words=options.min_words,
        only_finished=options.only_finished,
        with_finishes=options.provenance,
        without_flagged=options.without_flagged,
        only_flagged=options.only_flagged,
        keep_unreadable=options.keep_unreadable,
    )


def make_first_pass(
    source: ExportSource,
    plan: ExportPlan,
    options: ExportOptions,
    progress: Callable[[ExportProgress], None],
    cancelled: Callable[[], bool],
) -> FirstPass:
    """Return which captions stay. Raises what `export` raises."""

    def advance(done: int, total: int) -> None:
        if cancelled():
            raise ExportCancelled
        progress(ExportProgress(shards_done=done, shards=total, captions=0, bytes=0, counting=True))

    first_pass = judge_captions(
        source,
        filter_of(plan, options),
        options.quality,
        advance,
        everything=options.quality_columns,
    )
    if first_pass.counts.damage and not options.allow_partial:
        raise DamagedFiles(first_pass.counts.damage)
    return first_pass


def make_plan(
    source: ExportSource, options: ExportOptions, export_format: ExportFormat, out_name: str
) -> ExportPlan:
    """Return the plan of an export to a file or folder of this name.

    Raises `BadInput` for options that the format cannot follow."""
    refuse_unfit_options(options, export_format)
    modes = export_format.image_modes
    encoding = parse_encoding(options.encode, options.max_side)
    if encoding is not None:
        encoding = replace(encoding, rules=shared_rules(source.models))
    image_mode = options.images or (modes[0] if modes else "none")
    if encoding is not None and options.images in ("link", "none"):
        raise BadInput(f"--encode writes image files: it does not go with --images {image_mode}")
    with_original = options.with_original or export_format.needs_original
    quality = options.quality.for_project(
        [scorer.name for scorer in source.scorers], len(source.known_models)
    )
    plan = ExportPlan(
        models=source.models,
        with_original=with_original or options.text == ORIGINAL,
        provenance=options.provenance,
        image_root=options.image_root,
        path_map=options.path_map,
        image_mode="copy" if encoding else image_mode,
        image_paths=image_paths_of(source.project, source.settings),
        out_name=out_name,
        text=options.text,
        encoding=encoding,
        tar_bytes=options.tar_bytes,
        with_uid=options.uid,
        with_list=options.captions_list,
        filters=replace(options, quality=quality).filter_arguments(),
    )
    if options.quality_columns:
        agreeing = [model.name for model in source.models] if len(source.known_models) > 1 else []
        scorers = [scorer.name for scorer in source.scorers]
        plan = replace(plan, quality=QualityFields(plan.names, agreeing, scorers))
    refuse_names(plan, export_format)
    return plan


def refuse_unfit_options(options: ExportOptions, export_format: ExportFormat) -> None:
    """Raise `BadInput` for options that the format cannot follow."""
    name, modes = export_format.name, export_format.image_modes
    if options.images and options.images not in modes:
        ways = (
            f"takes --images {' or '.join(modes)}"
            if modes
            else "writes no image files: leave out --images"
        )
        raise BadInput(f"the {name} format {ways}")
    for option, given, fits in (
        ("--provenance", options.provenance, export_format.provenance),
        ("--encode", options.encode is not None, export_format.encodes),
        ("--text", options.text is not None, export_format.text),
        ("--tar-size", options.tar_bytes is not None, export_format.tars),
        ("--uid", options.uid, export_format.columns),
        ("--captions-list", options.captions_list, export_format.columns),
        ("--quality-columns", options.quality_columns, export_format.columns),
    ):
        if given and not fits:
            raise BadInput(
                f"the {name} format cannot hold {option.removeprefix('--')}: leave out {option}"
            )


def refuse_names(plan: ExportPlan, export_format: ExportFormat) -> None:
    """Raise `BadInput` if a model is called as a column of the format, or as no chosen text is."""
    names = [model.name for model in plan.models]
    reserved = RESERVED_COLUMNS if export_format.columns else {ORIGINAL} & set(plan.names[:1])
    if plan.quality is not None:
        reserved = reserved | QUALITY_COLUMNS
    if clash := sorted(reserved.intersection(names)):
        raise BadInput(
            f"the model {clash[0]!r} has the name of a column of the {export_format.name} format:"
            " choose other models with --model, or another format"
        )
    if plan.text not in (None, "random", "expand", *plan.names):
        choices = ", ".join(["original", *names, "random", "expand"])
        raise BadInput(f"there is no text {plan.text!r} to choose: one of {choices}")


def refuse_unfinished(source: ExportSource) -> None:
    """Raise `UnfinishedTasks` if tasks are not done, or `DamagedFiles` if it is known that a run
    cannot do them, because their shards are damaged."""
    model_ids = {model.id for model in source.models}
    tasks = [task for task in source.tasks.values() if task.model_id in model_ids]
    failed = [task for task in tasks if task.state == "failed"]
    shards = {task.shard for task in failed if task.error_cause in SHARD_CAUSES}
    damaged = [
        shard.number
        for shard in source.shards
        if shard.number in shards and is_shard_damaged(source.project, shard)
    ]
    if damaged:
        raise DamagedFiles(
            [shard_damage(source.project.shard_file(number), number) for number in damaged]
        )
    unfinished = sum(task.state in ("pending", "running") for task in tasks)
    if not failed and not unfinished:
        return
    how = ["finish them with 'run'"] * bool(unfinished)
    how += ["see 'failures', then 'retry' and 'run' for those that failed"] * bool(failed)
    raise UnfinishedTasks(
        f"{unfinished + len(failed)} of {len(tasks)} tasks are not done ({unfinished} unfinished,"
        f" {len(failed)} failed): {', '.join(how)}, or take what there is with --allow-partial"
    )


def refuse_nothing(counts: ExportCounts, options: ExportOptions) -> None:
    """Raise `BadInput` if the filters leave no caption: the export would replace a file that is
    there by one of nothing."""
    if not counts.captions and options.filter_arguments() and not counts.damage:
        raise BadInput(
            f"nothing was written: no caption is left by {' '.join(options.filter_arguments())}"
            f" ({counts.sum_line()})"
        )


def is_shard_damaged(project: Project, shard: ShardRow) -> bool:
    """Return True if the file of a shard is not the one that was split."""
    return isinstance(inspect_shard(project.shard_file(shard.number), shard.digest), ShardDamage)


def check_target(project: Project, out: Path, export_format: ExportFormat) -> Path:
    """Return `out` as an absolute path. Raises `BadInput` if nothing may be written there."""
    out = out.expanduser().absolute()
    if export_format.folder and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is not an empty folder: name a new folder for {export_format.name}")
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
