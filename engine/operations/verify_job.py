"""Comparing the files of one shard with what is recorded. Imports little: a pool starts with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from db.rows import ModelRow, ShardRow, TaskRow
from engine.captioners.model_families import is_scorer
from engine.project import caption_log
from engine.project.damage import Damage
from engine.project.finished_log import log_damage, recorded_bytes
from engine.project.layout import Project
from engine.project.log_rows import unknown_texts
from engine.project.shard_file import ShardDamage, inspect_shard, shard_damage
from engine.project.sheared_file import read_sheared, sheared_captions, sheared_path
from engine.shearing.shear import Shearing
from engine.utils import jsonlines, plain_files
from engine.utils.plurals import plural


class VerifyJob(NamedTuple):
    """A shard, with its task and the caption log of each model."""

    project: Project
    shard: ShardRow
    tasks: Sequence[tuple[TaskRow, ModelRow]]
    shearing: Shearing


class VerifiedShard(NamedTuple):
    """What was found of the files of one shard."""

    damage: list[Damage]
    files: int
    """The number of files that were read."""
    bytes: int
    """Their size."""


def verify_shard(job: VerifyJob) -> VerifiedShard:
    """Read the shard file, and the caption logs and sheared files of all tasks but running ones."""
    shard_file = job.project.shard_file(job.shard.number)
    damage, paths = [], [shard_file]
    if isinstance(inspect_shard(shard_file, job.shard.digest), ShardDamage):
        damage.append(shard_damage(shard_file, job.shard.number))
    for task, model in job.tasks:
        if task.state == "running":  # its log grows
            continue
        log = job.project.caption_log_file(model, task.shard)
        paths += [log, sheared_path(log, job.shearing, task.digest or "")]
        try:
            damage += task_damage(task, model, log, job.shearing)
        except OSError as error:
            text = f"cannot be read: {error.strerror or error}"
            advice = "check the disk, then 'mllmaug-tui verify' again"
            damage.append(Damage(log, text, advice, task.shard, task.model_id))
    sizes = [path.lstat().st_size for path in paths if path.exists()]
    return VerifiedShard(damage, len(sizes), sum(sizes))


def task_damage(task: TaskRow, model: ModelRow, log: Path, shearing: Shearing) -> Iterator[Damage]:
    """Yield what is damaged of a task's log and sheared file. Raises `OSError`."""
    if task.digest is None:
        yield from unfinished_log_damage(task, model, log)
        return
    grown = task.state == "done" and log.exists() and log.stat().st_size != task.log_bytes
    if grown or recorded_bytes(log, task) is None:
        yield log_damage(log, task)
    elif task.state == "done" and not is_sheared_file_sound(task, model, log, shearing):
        yield Damage(
            sheared_path(log, shearing, task.digest),
            "does not hold the sheared captions",
            "it is made again from the caption log",
            task.shard,
            task.model_id,
        )


def unfinished_log_damage(task: TaskRow, model: ModelRow, log: Path) -> Iterator[Damage]:
    """Yield what is damaged of a log whose task has not been done yet. Raises `OSError`.

    A torn or zero-filled tail is none: a power cut leaves one, and the next run cuts it.
    """
    advice = "'mllmaug-tui run' captions the missing records"
    wanted = unknown_texts(task.count) if is_scorer(model.family) else None
    contents = caption_log.read(log, task.count, wanted=wanted)
    size = plain_files.status(log).st_size if log.exists() else 0
    if size < task.log_bytes:
        text = f"has {size:,} bytes, but had {task.log_bytes:,}"
        yield Damage(log, text, advice, task.shard, task.model_id)
    elif contents.foreign:
        text = f"holds {plural(contents.foreign, 'line')} that are not rows of its shard"
        yield Damage(log, text, advice, task.shard, task.model_id)


def is_sheared_file_sound(task: TaskRow, model: ModelRow, log: Path, shearing: Shearing) -> bool:
    """Return True if the sheared file of a done task is as it was written, or is absent.

    One without a digest, of an earlier version, is compared with what shearing gives.
    """
    path = sheared_path(log, shearing, task.digest or "")
    try:
        if read_sheared(path, task.count) is not None:
            return True
    except FileNotFoundError:
        return True
    contents = caption_log.read(log, task.count)
    captions = sheared_captions(contents, task.count, model.family, shearing)
    return plain_files.read_bytes(path) == jsonlines.dumps_lines(captions)
