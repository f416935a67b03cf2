"""The quality of a project's captions: what is wrong with them, and what they are like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from db import projects
from db.connection import reading
from db.rows import ModelRow, ShardRow, TaskRow
from engine.operations.caption_stats import prompt_texts
from engine.operations.damage import telling_damage
from engine.operations.quality_job import HealthJob, HealthLog, ShardResult, count_shard
from engine.process.pool import map_on_all_cores
from engine.project import caption_log, log_rows
from engine.project.damage import Damage, DamagedFiles
from engine.project.layout import Project
from engine.project.selectors import select_models
from engine.project.shard_file import read_shard
from engine.quality.model_health import FrequentText, Health, ModelHealth
from engine.quality.near_duplicates import SAMPLE
from engine.quality.style import FactSums, Style
from engine.shearing.shear import Shearing, make_shearer

ORIGINAL = "original"
"""The name under which the original captions stand beside the models."""
GONE = "(changed meanwhile)"
"""Stands for a text that is no longer in its file."""


@dataclass(frozen=True, slots=True)
class ShardQuality:
    """The health of one model's captions in one shard."""

    shard: int
    captions: int
    health: Health = field(hash=False)
    finished: float | None
    """When the task was done, in seconds since 1970; None before, and for the originals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuality:
    """The quality of one model's captions, or of the originals."""

    name: str
    captions: int
    health: Health = field(hash=False)
    """How many captions have each defect."""
    sampled: int
    """The number of captions of which near duplicates, style and facts were taken."""
    style: Style
    facts: FactSums = field(hash=False)
    most_frequent: list[tuple[str, int]] = field(hash=False)
    """The texts that most captions have, and how many have each."""
    shards: list[ShardQuality] = field(hash=False)

    def as_dict(self, with_shards: bool) -> dict[str, Any]:
        """Return what `quality --json` prints of a model."""
        values: dict[str, Any] = {
            "name": self.name,
            "captions": self.captions,
            "health": self.health,
            "agreement": None,
            "scores": {},
            "style": self.style_dict(),
            "most_frequent": texts_with_counts(self.most_frequent),
        }
        if with_shards:
            values["shards"] = list(map(asdict, self.shards))
        return values

    def style_dict(self) -> dict[str, Any]:
        """Return the figures of style, rounded; None where there is nothing to take them of."""
        style, facts = self.style, self.facts
        return {
            "sampled": self.sampled,
            "words": ratio(facts.words, facts.captions),
            "common_openings": rounded(style.common_openings),
            "openings": texts_with_counts(style.openings),
            "distinct_2": rounded(style.distinct_2),
            "vocabulary": rounded(style.vocabulary),
            "vocabulary_growth": rounded(style.vocabulary_growth),
            "new_words": ratio(facts.new, facts.compared),
            "new_share": ratio(facts.new, facts.content),
            "names_kept": ratio(facts.names_kept, facts.names),
            "numbers_kept": ratio(facts.numbers_kept, facts.numbers),
        }


def texts_with_counts(texts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return texts, and how many captions have each, as `quality --json` prints them."""
    return [{"text": text, "captions": captions} for text, captions in texts]


def rounded(value: float | None) -> float | None:
    """Return a figure with four decimals, if there is one."""
    return None if value is None else round(value, 4)


def ratio(part: int, whole: int) -> float | None:
    """Return a ratio with four decimals; None if there is nothing to divide by."""
    return round(part / whole, 4) if whole else None


def measure_quality(
    project: Project,
    names: Sequence[str] = (),
    language: str = "en",
    progress: Callable[[int, int], None] = lambda done, total: None,
    readonly: bool = False,
) -> list[ModelQuality]:
    """Count what is new since the last look, on all cores; return the quality of all captions.

    The originals come first, then the named models, or all. `language` is the code of the language
    that was asked for. `progress` gets the numbers of shards counted and of all. With `readonly`
    nothing of the project is written, and everything is counted again. Raises `BadInput` for a
    model that the project does not have, and if a log or a shard file is damaged.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        models = select_models(projects.models(connection), names)
        shards = projects.shards(connection)
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
    shearing = Shearing.of(settings)
    sampled = sampled_shards(shards)
    jobs = [
        HealthJob(
            shard=shard,
            shard_file=project.shard_file(shard.number),
            logs=[health_log(project, model, tasks[shard.number, model.id]) for model in models],
            shearing=shearing,
            language=language,
            sampled=shard.number in sampled,
            save=not readonly,
        )
        for shard in shards
    ]
    with telling_damage(project, not readonly):
        results = count_all(jobs, progress)
    qualities = []
    for place, name in enumerate([ORIGINAL, *(model.name for model in models)]):
        model_health = ModelHealth(name, [result.figures[place] for result in results])
        texts = [
            (read_text(jobs[text.shard], place, text), text.captions)
            for text in model_health.most_frequent()
        ]
        of_shards = [
            ShardQuality(
                job.shard.number,
                figures.captions,
                figures.health,
                job.logs[place - 1].task.finished if place else None,
            )
            for job, figures in zip(jobs, model_health.shards, strict=True)
        ]
        qualities.append(
            ModelQuality(
                name=name,
                captions=model_health.captions,
                health=model_health.health(),
                sampled=len(model_health.sample()),
                style=model_health.style(),
                facts=model_health.facts(),
                most_frequent=texts,
                shards=sorted(of_shards, key=lambda each: each.finished or float("inf")),
            )
        )
    return qualities


def count_all(jobs: Sequence[HealthJob], progress: Callable[[int, int], None]) -> list[ShardResult]:
    """Return the figures of all shards. Raises `DamagedFiles`."""
    results: list[ShardResult] = []
    damage: list[Damage] = []
    for number, result in enumerate(map_on_all_cores(count_shard, jobs), start=1):
        results.append(result)
        damage += result.damage
        progress(number, len(jobs))
    if damage:
        raise DamagedFiles(damage)
    return results


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


def read_text(job: HealthJob, place: int, text: FrequentText) -> str:
    """Return the text of a caption, sheared; `place` is 0 for an original, else that of a model.

    Files may have changed since they were counted: then it is `GONE`. Raises `BadInput`.
    """
    if place == 0:
        record = next((each for i, each in read_shard(job.shard_file) if i == text.i), {})
        return str(record.get("caption", GONE))
    log = job.logs[place - 1]
    data = caption_log.read_if_there(log.log)
    row = log_rows.parse_records(data, job.shard.count, {text.i}).captions.get(text.i)
    return GONE if row is None else make_shearer(log.family, job.shearing)(row.raw, row.finish)
