"""Writing the merged file: one array of {"image", "caption"}, in input order.

Per record the original caption first if asked for, then the models in project order. The same
project state gives the same bytes. Text is copied, not encoded again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from db import progress as queries
from db import projects
from db.connect import reading
from db.rows import ModelRow, ProjectRow, ShardRow, TaskRow
from engine import captionlog, jsonlines
from engine.attempt import read_shard
from engine.completion import sheared_captions, sheared_file, write_sheared
from engine.errors import BadInput
from engine.project import Project
from engine.shearing import Shearing


@dataclass(frozen=True, slots=True)
class ExportOptions:
    models: tuple[str, ...] = ()
    """Names; none means all."""
    with_original: bool = False
    image_root: str | None = None
    """Put before every relative image path."""
    path_map: tuple[tuple[str, str], ...] = ()
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class ExportProgress:
    shards_done: int
    shards: int
    captions: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExportResult:
    """`failed` and `empty` captions are left out, `missing` ones are not there yet."""

    path: Path
    records: int
    captions: int
    failed: int
    empty: int
    missing: int
    bytes: int


class Unfinished(Exception):
    """Some tasks are not done; nothing was written. Exit code 1."""


class Cancelled(Exception):
    """Nothing was written."""


@dataclass(slots=True)
class Tally:
    records: int = 0
    captions: int = 0
    failed: int = 0
    empty: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """What an export reads."""

    project: Project
    settings: ProjectRow
    shards: Sequence[ShardRow]
    models: Sequence[ModelRow]
    tasks: dict[tuple[int, int], TaskRow] = field(hash=False)
    """By shard and model id."""

    @property
    def shearing(self) -> Shearing:
        return Shearing(self.settings.shear_mode, self.settings.shear_max_words)


def export(
    project: Project,
    out: Path,
    options: ExportOptions = ExportOptions(),
    progress: Callable[[ExportProgress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ExportResult:
    """Writes `out` whole or not at all. Raises `BadInput`, `Unfinished`, `Cancelled`."""
    source = open_source(project, options)
    refuse_unfinished(source, options)
    out = check_target(project, out)
    tally = Tally()
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as file:
            for done, shard in enumerate(source.shards, start=1):
                write_shard(file, source, shard, options, tally)
                if cancelled is not None and cancelled():
                    raise Cancelled
                if progress is not None:
                    progress(ExportProgress(done, len(source.shards), tally.captions, file.tell()))
            file.write(b"\n]\n" if tally.captions else b"[]\n")
            file.flush()
            os.fsync(file.fileno())
        size = part.stat().st_size
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadInput(f"cannot write {out}: {error.strerror or error}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return ExportResult(
        out, tally.records, tally.captions, tally.failed, tally.empty, tally.missing, size
    )


def open_source(project: Project, options: ExportOptions) -> Source:
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = projects.models(connection)
        shards = projects.shards(connection)
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
    names = {model.name for model in models}
    for name in options.models:
        if name not in names:
            raise BadInput(f"the project has no model {name!r}: it has {', '.join(sorted(names))}")
    chosen = [model for model in models if not options.models or model.name in options.models]
    return Source(project, settings, shards, chosen, tasks)


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


def check_target(project: Project, out: Path) -> Path:
    out = out.expanduser().absolute()
    if out.is_dir():
        raise BadInput(f"{out} is a folder: name a file, such as {out / 'captions.json'}")
    if not out.parent.is_dir():
        raise BadInput(f"there is no folder {out.parent}")
    inside = out.is_relative_to(project.folder) and out.parent != project.folder
    if inside or out in (project.database, project.lock):
        raise BadInput(f"{out} lies among the project's own files: write the export elsewhere")
    return out


def write_shard(
    file: BinaryIO, source: Source, shard: ShardRow, options: ExportOptions, tally: Tally
) -> None:
    shard_file = source.project.shard_file(shard.number)
    try:
        if captionlog.file_digest(shard_file) != shard.digest:
            raise BadInput(f"{shard_file} was changed since the input was split")
    except FileNotFoundError as error:
        raise BadInput(f"{shard_file} is missing") from error
    columns = [captions_of(source, shard, model, tally) for model in source.models]
    lines: list[bytes] = []
    for i, record in read_shard(shard_file):
        tally.records += 1
        image = jsonlines.dumps(mapped(record["image"], options))
        original = record.get("caption")
        if options.with_original and original:
            lines.append(entry(image, jsonlines.dumps(original)))
        for column in columns:
            caption = column[i]
            if caption:
                lines.append(entry(image, caption))
    if lines:
        file.write(b"[\n" if not tally.captions else b",\n")
        file.write(b",\n".join(lines))
        tally.captions += len(lines)


def entry(image: bytes, caption: bytes) -> bytes:
    return b'{"image": ' + image + b', "caption": ' + caption + b"}"


def captions_of(
    source: Source, shard: ShardRow, model: ModelRow, tally: Tally
) -> list[bytes | None]:
    """The shard's sheared captions by one model as JSON strings; None where there is none."""
    task = source.tasks[shard.number, model.id]
    log = source.project.log_file(model, shard.number)
    column = kept_column(log, task, shard, source.shearing) if task.digest else None
    if column is None:
        column = shear_column(log, task, shard, model, source.shearing)
    captioned = sum(line != b"null" for line in column)
    tally.empty += sum(line == b'""' for line in column)
    tally.failed += task.failed
    tally.missing += shard.count - captioned - task.failed
    return [None if line in (b"null", b'""') else line for line in column]


def kept_column(
    log: Path, task: TaskRow, shard: ShardRow, shearing: Shearing
) -> list[bytes] | None:
    """The sheared file that was written when the task ended, if the log is still that log."""
    try:
        if log.stat().st_size != task.log_bytes or captionlog.file_digest(log) != task.digest:
            raise BadInput(
                f"{log} was changed after its task was done: 'mllmaug-tui run' redoes what it lacks"
            )
        column = sheared_file(log, shearing, task.digest or "").read_bytes().splitlines()
    except FileNotFoundError as error:
        if not log.exists():
            raise BadInput(
                f"{log} is missing, its task is done: 'mllmaug-tui run' makes it again"
            ) from error
        return None
    return column if len(column) == shard.count else None


def shear_column(
    log: Path, task: TaskRow, shard: ShardRow, model: ModelRow, shearing: Shearing
) -> list[bytes]:
    contents = captionlog.read(log, shard.count)
    captions = sheared_captions(contents, shard.count, model.family, shearing)
    if task.digest is not None:
        with suppress(OSError):  # a project that is read-only, or has no room
            write_sheared(sheared_file(log, shearing, contents.digest), captions)
    return [jsonlines.dumps(caption) for caption in captions]


def mapped(image: str, options: ExportOptions) -> str:
    """The path as the reader of the export will find it."""
    for old, new in options.path_map:
        if image.startswith(old):
            return new + image[len(old) :]
    if options.image_root is not None and not PurePosixPath(image).is_absolute():
        return str(PurePosixPath(options.image_root) / image)
    return image


def preview(project: Project, options: ExportOptions) -> Iterator[str]:
    """What an export would leave out, in words."""
    with reading(project.database) as connection:
        sums = queries.sums(connection)
    failed = sum(row.failed for row in sums)
    left = sum(row.left for row in sums)
    if failed:
        yield f"{failed:,} failed records are left out"
    if left:
        yield f"{left:,} records are not captioned yet"
