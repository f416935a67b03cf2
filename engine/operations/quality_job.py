"""Counting the health of one shard. Imports little: the processes of a pool start with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.project.damage import Damage, DamagedFiles
from engine.project.shard_comparison import ComparisonJob, compare_shard
from engine.project.task_health import HealthJob, Originals, log_health
from engine.quality.comparison import ComparisonSums
from engine.quality.model_health import (
    SAME_AS_OTHER,
    ShardFigures,
    count_duplicates,
    count_flags,
    find_same,
)


class QualityJob(NamedTuple):
    """One shard of whose captions the quality is to be counted."""

    names: Sequence[str]
    """`ORIGINAL`, and the names of the models whose health is counted."""
    health: HealthJob
    comparison: ComparisonJob
    """All models of the project, also those whose health is not counted."""


class ShardResult(NamedTuple):
    """The figures of one shard: of the originals, then of each model, unless a file is damaged."""

    figures: list[ShardFigures]
    damage: list[Damage]
    comparisons: list[ComparisonSums]
    """The same of captions beside each other; none where only health was counted."""


def count_quality(job: QualityJob) -> ShardResult:
    """Count the health of what is new in one shard, and compare its captions. Raises `OSError`."""
    result = count_health(job)
    if result.damage:
        return result
    comparison = compare_shard(job.comparison)
    return result._replace(comparisons=[ComparisonSums.of(comparison, name) for name in job.names])


def count_health(quality_job: QualityJob) -> ShardResult:
    """Count the health of what is new in one shard since the last look. Raises `OSError`."""
    job = quality_job.health
    originals = Originals(job)
    damage: list[Damage] = []
    healths = []
    try:
        healths.append(originals.health())
        for log in job.logs:
            healths.append(log_health(job, log, originals))
    except DamagedFiles as error:
        damage += error.damage
        return ShardResult([], damage, [])
    hashes = [health.hash_array() for health in healths]
    models = hashes[1:]
    same = [
        np.zeros(job.shard.count, bool),
        *(find_same(own, models[:n] + models[n + 1 :]) for n, own in enumerate(models)),
    ]
    figures = []
    for health, texts, shared in zip(healths, hashes, same, strict=True):
        flags = health.flag_array() | np.where(shared, SAME_AS_OTHER, 0).astype(np.uint16)
        captions, counts = count_flags(flags)
        counts["duplicates"] = count_duplicates(texts)
        figures.append(
            ShardFigures(
                captions=captions,
                health=counts,
                facts=health.facts,
                hashes=texts,
                sample=health.sample,
                flags=flags,
                raw_lengths=np.array(health.raw_lengths),
                sheared_lengths=np.array(health.sheared_lengths),
                shearing=health.shearing,
            )
        )
    return ShardResult(figures, damage, [])
