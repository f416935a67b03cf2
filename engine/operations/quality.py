"""Measuring the quality of captions: what is wrong with them, and what they are like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter

from db import projects
from db.connection import reading
from db.rows import ModelRow, ShardRow
from engine.captioners.model_families import is_scorer
from engine.operations.damage import telling_damage
from engine.operations.model_quality import (
    OF_THE_RAW_TEXT,
    Example,
    ModelQuality,
    ScoreQuality,
    ShardQuality,
    ShearingQuality,
    Truth,
)
from engine.operations.quality_job import QualityJob, ShardResult, count_quality
from engine.operations.scene_truth import Hallucinations, count_hallucinations, known_scenes
from engine.process.pool import map_on_all_cores
from engine.project import caption_log, log_rows
from engine.project.damage import Damage, DamagedFiles
from engine.project.layout import Project
from engine.project.selectors import select_captioners
from engine.project.shard_comparison import ComparisonJob
from engine.project.shard_file import read_shard
from engine.project.task_health import HealthJob, health_log, sampled_shards
from engine.quality.comparison import ORIGINAL, ComparisonSums
from engine.quality.model_health import ModelHealth
from engine.shearing.shear import Shearing, make_shearer

ONE_MODEL = "the project has one model"
NO_PAIR = "no image has two captions with words yet"
"""Why captions do not agree or disagree."""
GONE = "(changed since then)"
"""Stands for a text that is no longer in its file."""
EXAMPLE_CHARS = 500
"""Characters of an example that are kept."""


def measure_quality(
    project: Project,
    names: Sequence[str] = (),
    language: str = "en",
    progress: Callable[[int, int], None] = lambda done, total: None,
    readonly: bool = False,
) -> list[ModelQuality]:
    """Count what is new since the last look, on all cores; return the quality of all captions.

    The originals come first, also if they are not named, then the named models, or all. `language`
    is the code of the language that was asked for. `progress` gets the numbers of shards counted
    and of all. With `readonly` nothing of the project is written, and everything is counted again.
    Raises `BadInput` for a model that the project does not have, and if a log or a shard file is
    damaged.
    """
    shown, jobs = plan_jobs(project, names, language, save=not readonly)
    with telling_damage(project, not readonly):
        results = count_all(count_quality, jobs, progress)
    health_jobs = [job.health for job in jobs]
    scenes = known_scenes(project)
    return [
        quality_of(
            ModelHealth(name, [result.figures[place] for result in results]),
            [result.comparisons[place] for result in results],
            place,
            health_jobs,
            count_hallucinations(scenes, health_jobs, place - 1) if place else None,
            ONE_MODEL if any(len(job.comparison.logs) < 2 for job in jobs) else NO_PAIR,
        )
        for place, name in enumerate(shown)
    ]


def plan_jobs(
    project: Project, names: Sequence[str], language: str, save: bool
) -> tuple[list[str], list[QualityJob]]:
    """Return `ORIGINAL` and the names of the named models, or of all, and a job for each shard.

    Raises `BadInput`.
    """
    with reading(project.database) as connection:
        settings = projects.project(connection)
        everything = projects.models(connection)
        shards = projects.shards(connection)
        tasks = {(task.shard, task.model_id): task for task in projects.tasks(connection)}
    chosen = [name for name in names if name != ORIGINAL]
    models = select_captioners(everything, chosen) if chosen or not names else []
    all_names = [ORIGINAL, *(model.name for model in models)]
    shearing, sampled = Shearing.of(settings), sampled_shards(shards)
    jobs = [
        QualityJob(
            all_names,
            HealthJob(
                shard=shard,
                shard_file=project.shard_file(shard.number),
                logs=[health_log(project, each, tasks[shard.number, each.id]) for each in models],
                shearing=shearing,
                language=language,
                sampled=shard.number in sampled,
                save=save,
            ),
            comparison_job(project, everything, shard, shearing, shard.number in sampled, save),
        )
        for shard in shards
    ]
    return all_names, jobs


def comparison_job(
    project: Project,
    models: Iterable[ModelRow],
    shard: ShardRow,
    shearing: Shearing,
    sampled: bool,
    save: bool,
) -> ComparisonJob:
    """Return the job that compares all captions of a shard."""
    logs = {model: project.caption_log_file(model, shard.number) for model in models}
    return ComparisonJob(
        shard=shard,
        shard_file=project.shard_file(shard.number),
        logs={
            model.name: (log, model.family)
            for model, log in logs.items()
            if not is_scorer(model.family)
        },
        scorers={model.name: log for model, log in logs.items() if is_scorer(model.family)},
        shearing=shearing,
        sampled=sampled,
        save=save,
    )


def quality_of(
    model_health: ModelHealth,
    compared: Sequence[ComparisonSums],
    place: int,
    jobs: Sequence[HealthJob],
    invented: Hallucinations | None,
    no_agreement: str,
) -> ModelQuality:
    """Return the quality of the originals, for which `place` is 0, or of a model.

    `compared` are the sums of each shard; `invented` is None where the truth is not known;
    `no_agreement` says why captions were not compared, if they were not.
    """
    near_duplicates = model_health.near_duplicates()
    frequent = model_health.most_frequent()
    examples = model_health.examples()
    if near_duplicates:
        examples["near_duplicates"] = near_duplicates[0]
    if frequent:
        examples["duplicates"] = frequent[0].shard, frequent[0].i
    firsts = ((number, sums.first_contradicted) for number, sums in enumerate(compared))
    first = next(((number, i) for number, i in firsts if i is not None), None)
    if first is not None:
        examples["contradicted"] = first
    together = ComparisonSums.total(compared)
    places = [*examples.values(), *((each.shard, each.i) for each in frequent)]
    texts = read_texts(jobs, place, places)
    raw_lengths, sheared_lengths = model_health.lengths()
    return ModelQuality(
        name=model_health.name,
        captions=model_health.captions,
        health=model_health.health(len(near_duplicates)),
        left=model_health.left(),
        sampled=len(model_health.sample()),
        style=model_health.style(),
        facts=model_health.facts(),
        most_frequent=[(texts[each.shard, each.i][1], each.captions) for each in frequent],
        shards=shard_qualities(model_health, place, jobs),
        examples={
            name: Example(
                jobs[number].shard.number,
                i,
                texts[number, i][name not in OF_THE_RAW_TEXT][:EXAMPLE_CHARS],
            )
            for name, (number, i) in examples.items()
        },
        raw_lengths=raw_lengths,
        sheared_lengths=sheared_lengths,
        agreement=together.support.mean,
        no_agreement=no_agreement if together.support.mean is None else None,
        agrees_better=together.agrees_better.share,
        contradicted=together.contradicted if place == 0 and together.support.count else None,
        scores={name: ScoreQuality.of(sums) for name, sums in together.scores.items()},
        shearing=shearing_quality(model_health, together, invented) if place else None,
    )


def shearing_quality(
    model_health: ModelHealth, together: ComparisonSums, invented: Hallucinations | None
) -> ShearingQuality:
    """Return what shearing cuts of a model's captions, and what it changes."""
    return ShearingQuality(
        sums=model_health.shearing(),
        raw_agreement=together.raw_support.mean,
        sheared_agreement=together.sampled_support.mean,
        raw_truth=Truth.of(invented.raw) if invented else None,
        sheared_truth=Truth.of(invented.sheared) if invented else None,
    )


def shard_qualities(
    model_health: ModelHealth, place: int, jobs: Sequence[HealthJob]
) -> list[ShardQuality]:
    """Return the health shard by shard, in the order in which they were done."""
    of_shards = [
        ShardQuality(
            shard=job.shard.number,
            captions=figures.captions,
            health=figures.health,
            defective=defective,
            finished=job.logs[place - 1].task.finished if place else None,
        )
        for job, figures, defective in zip(
            jobs, model_health.shards, model_health.defective(), strict=True
        )
    ]
    return sorted(of_shards, key=lambda each: each.finished or float("inf"))


def count_all(
    count: Callable[[QualityJob], ShardResult],
    jobs: Sequence[QualityJob],
    progress: Callable[[int, int], None],
) -> list[ShardResult]:
    """Return the figures of all shards. Raises `DamagedFiles`."""
    results: list[ShardResult] = []
    damage: list[Damage] = []
    for number, result in enumerate(map_on_all_cores(count, jobs), start=1):
        results.append(result)
        damage += result.damage
        progress(number, len(jobs))
    if damage:
        raise DamagedFiles(damage)
    return results


def read_texts(
    jobs: Sequence[HealthJob], place: int, keys: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, str]]:
    """Return the raw and the sheared text of captions by the position of a job, and an index.

    `place` is 0 for originals, else that of a model. Files may have changed since they were
    counted: then a text is `GONE`. Raises `BadInput`.
    """
    texts: dict[tuple[int, int], tuple[str, str]] = {}
    for number, group in groupby(sorted(keys), key=itemgetter(0)):
        job, indices = jobs[number], {i for _, i in group}
        if place == 0:
            found = {
                i: (record.get("caption", GONE),) * 2
                for i, record in read_shard(job.shard_file)
                if i in indices
            }
        else:
            log = job.logs[place - 1]
            data = caption_log.read_if_there(log.log)
            shear = make_shearer(log.family, job.shearing)
            rows = log_rows.parse_records(data, job.shard.count, indices).captions
            found = {i: (row.raw, shear(row.raw, row.finish)) for i, row in rows.items()}
        texts |= {(number, i): found.get(i, (GONE, GONE)) for i in indices}
    return texts
