"""The worst captions of a model by one figure, to be looked at one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from db.rows import RecordKey
from engine.operations.damage import telling_damage
from engine.operations.model_quality import AGREEMENT, SCORE
from engine.operations.quality import count_all, plan_jobs
from engine.operations.quality_job import QualityJob, count_health
from engine.process.pool import map_on_all_cores
from engine.project.layout import Project
from engine.project.shard_comparison import compare_shard
from engine.quality.comparison import ORIGINAL, lowest_places, unpack
from engine.quality.model_health import ModelHealth, Place
from engine.quality.quality_filter import CONTRADICTED
from engine.quality.worst import worst_of


def worst_captions(
    project: Project,
    name: str,
    figure: str,
    limit: int,
    language: str = "en",
    readonly: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[RecordKey]:
    """Return the records with the worst captions of a model, the worst first, `limit` at most.

    `name` is that of the model, or `ORIGINAL`; `figure` is a name of `ModelQuality.health`,
    `CONTRADICTED`, or, with the lowest as the worst, `AGREEMENT` or `SCORE` and the name of a
    scorer. What is new since the last look is counted; the other arguments, and the errors, are
    those of `measure_quality`.
    """
    compared = figure == "same_as_other"
    asked = () if compared or name == ORIGINAL else (name,)
    names, jobs = plan_jobs(project, asked, language, save=not readonly)
    if figure in (AGREEMENT, CONTRADICTED) or figure.startswith(SCORE):
        places = lowest_captions(jobs, name, figure, limit, progress)
    else:
        if name == ORIGINAL:
            jobs = [job._replace(health=job.health._replace(logs=[])) for job in jobs]
        with telling_damage(project, not readonly):
            results = count_all(count_health, jobs, progress)
        place = names.index(name)
        model_health = ModelHealth(name, [result.figures[place] for result in results])
        places = worst_of(model_health, figure, limit)
    return [(jobs[number].health.shard.number, i) for number, i in places]


def lowest_captions(
    jobs: Sequence[QualityJob],
    name: str,
    figure: str,
    limit: int,
    progress: Callable[[int, int], None],
) -> list[Place]:
    """Return the captions that agree least, or have the lowest scores, of those asked for."""
    numbers = []
    comparisons = map_on_all_cores(compare_shard, [job.comparison for job in jobs])
    for done, comparison in enumerate(comparisons, start=1):
        if figure.startswith(SCORE):
            by_name = comparison.sheared_scores.get(figure.removeprefix(SCORE), {})
        else:
            by_name = comparison.support
        of_shard = unpack(by_name.get(name, b""))
        if figure == CONTRADICTED:
            chosen = np.isin(np.arange(len(of_shard)), comparison.contradicted)
            of_shard = np.where(chosen, of_shard, np.float32(np.nan))
        numbers.append(of_shard)
        progress(done, len(jobs))
    return lowest_places(numbers, limit)
