"""The health of the captions of one shard, brought up to date from its caption logs.

What was counted lies in health files; only rows that are new are looked at. Imports little: the
processes of a pool start with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from db.rows import ModelRow, ShardRow, TaskRow
from engine.captioners.record_prompt import KEY
from engine.captioners.settings import Settings
from engine.project.caption_log import read_if_there
from engine.project.damage import DamagedFiles
from engine.project.finished_log import is_unchanged, log_damage
from engine.project.health_file import (
    SavedHealth,
    caption_texts,
    health_path,
    read_health,
    write_health,
)
from engine.project.layout import Project
from engine.project.log_rows import digest
from engine.project.shard_file import parse_shard, shard_damage
from engine.quality.batch_finder import Caption
from engine.quality.defects import DefectFinder
from engine.quality.facts import OriginalFacts
from engine.quality.near_duplicates import SAMPLE
from engine.quality.shard_health import ShardHealth
from engine.quality.vocabulary import Vocabulary
from engine.shearing.shear import Shearing, make_shearer
from engine.utils.plain_files import read_bytes

PROMPT_TAGS = re.compile(r"<[^>]*>|USER:|ASSISTANT:|Human:|GPT:|User:|###")
"""The marks around the text of a prompt; they are removed before it is searched in captions."""


class HealthLog(NamedTuple):
    """The caption log of a task, with the family of its model and texts of its prompts."""

    log: Path
    task: TaskRow
    family: str
    prompts: Sequence[str]


class HealthJob(NamedTuple):
    """One shard whose health is to be counted."""

    shard: ShardRow
    shard_file: Path
    logs: Sequence[HealthLog]
    shearing: Shearing
    language: str
    """The code of the language asked for."""
    sampled: bool
    """True if near duplicates and style are taken of this shard, too."""
    save: bool
    """True if what was counted is kept in health files."""


def sampled_shards(shards: Sequence[ShardRow]) -> set[int]:
    """Return the numbers of shards, evenly spread, that have `SAMPLE` records together at most.

    One shard is always sampled.
    """
    records = sum(shard.count for shard in shards)
    step = max(1, -(-records // SAMPLE))
    return {shard.number for shard in shards[::step]}


def health_log(project: Project, model: ModelRow, task: TaskRow) -> HealthLog:
    """Return the log of a task as a job takes it."""
    log = project.caption_log_file(model, task.shard)
    return HealthLog(log, task, model.family, prompt_texts(model))


def prompt_texts(model: ModelRow) -> list[str]:
    """Return the texts by which a model's prompts are known (`texts_of_prompts`)."""
    return texts_of_prompts(model.settings)


def texts_of_prompts(settings: Mapping[str, Any]) -> list[str]:
    """Return the longest text of each prompt that is the same for every record, without tags.

    `settings` are the fields of `Settings` that a project keeps.
    """
    prompts = Settings.of(settings).prompt_choices
    parts = [PROMPT_TAGS.sub("", KEY.sub("\0", prompt)).split("\0") for prompt in prompts]
    return [max(map(str.strip, texts), key=len) for texts in parts]


class Originals:
    """The original captions of a shard, which are read only if something is to be counted."""

    def __init__(self, job: HealthJob) -> None:
        self.job = job
        self.vocabulary = Vocabulary()
        """The words of the shard's captions, original or not."""
        self.texts: list[str] | None = None
        self.known_facts: OriginalFacts | None = None

    def read(self) -> list[str]:
        """Return the original caption of each record, empty where it has none.

        Raises `DamagedFiles`.
        """
        if self.texts is None:
            shard = self.job.shard
            data = b""
            with suppress(FileNotFoundError):
                data = read_bytes(self.job.shard_file)
            try:
                if digest(data) != shard.digest:
                    raise ValueError("the file has another digest")
                records = parse_shard(data, shard.count)
            except ValueError as error:
                damage = shard_damage(self.job.shard_file, shard.number)
                raise DamagedFiles([damage]) from error
            captions = (record.get("caption") for record in records)
            self.texts = [text if isinstance(text, str) else "" for text in captions]
        return self.texts

    def facts(self) -> OriginalFacts:
        """Return what the originals say. Raises `DamagedFiles`."""
        if self.known_facts is None:
            self.known_facts = OriginalFacts(self.read(), self.vocabulary)
        return self.known_facts

    def health(self) -> ShardHealth:
        """Return the health of the originals. Raises `DamagedFiles`."""
        job = self.job
        settings = {"language": job.language, "sampled": job.sampled}
        path = health_path(job.shard_file, settings)
        saved = read_health(path, job.shard.count, job.sampled)
        if saved is not None and saved.digest == job.shard.digest:
            return saved.health
        health = ShardHealth.of_nothing(job.shard.count, job.sampled)
        finder = DefectFinder(job.language)
        captions = [Caption(i, text, "stop", text) for i, text in enumerate(self.read()) if text]
        health.add_captions(finder, captions, self.vocabulary)
        save(job, path, SavedHealth(health, 0, job.shard.digest))
        return health


def log_health(job: HealthJob, log: HealthLog, originals: Originals) -> ShardHealth:
    """Return the health of a task's captions. Raises `DamagedFiles`, `OSError`."""
    path = health_path(log.log, settings_of(job, log))
    saved = read_health(path, job.shard.count, job.sampled)
    done = log.task.state == "done"
    if done and saved and saved.digest == log.task.digest and is_unchanged(log.log, log.task):
        return saved.health
    data = read_if_there(log.log)
    whole = data[: data.rfind(b"\n") + 1]
    if done and not (digest(whole) == log.task.digest and len(data) == log.task.log_bytes):
        raise DamagedFiles([log_damage(log.log, log.task)])
    if saved is None or digest(whole[: saved.log_bytes]) != saved.digest:
        saved = nothing_counted(job)
    if len(whole) > saved.log_bytes or not saved.digest:
        new = caption_texts(whole[saved.log_bytes :], job.shard.count)
        if any(map(saved.health.has_caption, new)):  # a caption was replaced
            saved = nothing_counted(job)
            new = caption_texts(whole, job.shard.count)
        shear = make_shearer(log.family, job.shearing)
        saved.health.add_captions(
            DefectFinder(job.language, log.prompts),
            [Caption(i, raw, finish, shear(raw, finish)) for i, raw, finish in new.values()],
            originals.vocabulary,
            originals.facts() if new and job.sampled else None,
        )
        saved.log_bytes, saved.digest = len(whole), digest(whole)
        if whole:
            save(job, path, saved)
    return saved.health


def counted_health(job: HealthJob, log: HealthLog) -> ShardHealth | None:
    """Return the health of a task's captions, None unless all of them are counted already.

    Raises `OSError`.
    """
    saved = read_health(health_path(log.log, settings_of(job, log)), job.shard.count, job.sampled)
    if saved is None:
        return None
    if log.task.state == "done" and saved.digest == log.task.digest:
        return saved.health if is_unchanged(log.log, log.task) else None
    data = read_if_there(log.log)
    whole = data[: data.rfind(b"\n") + 1]
    return saved.health if digest(whole) == saved.digest else None


def nothing_counted(job: HealthJob) -> SavedHealth:
    """Return the health of a task of which nothing is counted."""
    return SavedHealth(ShardHealth.of_nothing(job.shard.count, job.sampled), 0, "")


def settings_of(job: HealthJob, log: HealthLog) -> dict[str, Any]:
    """Return what the health of a log depends on besides its rows."""
    return {
        "language": job.language,
        "sampled": job.sampled,
        "shard": job.shard.digest,
        "family": log.family,
        "prompts": list(log.prompts),
        "shearing": job.shearing.hash(""),
    }


def save(job: HealthJob, path: Path, saved: SavedHealth) -> None:
    """Write a health file, if any may be written; a disk that is full costs only time later."""
    if job.save:
        with suppress(OSError):
            write_health(path, saved)
