"""The quality of all captions as it was counted last, kept in the project for the next look.

It may be deleted at any time. The Quality screen shows it until what is new is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from engine.operations.model_quality import ModelQuality
from engine.operations.quality import measure_quality
from engine.project.layout import Project
from engine.quality.comparison import SCORE_BINS
from engine.quality.quality_filter import HEALTH_NAMES
from engine.quality.shard_health import LONGEST
from engine.utils import plain_files


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What was counted at one time."""

    counted: float
    """When the count began, in seconds since 1970."""
    models: list[ModelQuality] = field(hash=False)
    """The originals, then the models."""


def count_quality(
    project: Project,
    language: str,
    now: float,
    readonly: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> QualityReport:
    """Count what is new, and keep the report unless `readonly`; see `measure_quality`.

    `now` is the time of the call, in seconds since 1970. A disk that is full costs only time later.
    """
    report = QualityReport(now, measure_quality(project, (), language, progress, readonly))
    if not readonly:
        with suppress(OSError), plain_files.replacing(project.quality, sync=False) as file:
            file.write(msgspec.msgpack.encode(report))
    return report


def read_last_quality(project: Project) -> QualityReport | None:
    """Return the report that was kept last; None if there is none that can be read."""
    try:
        data = plain_files.read_bytes(project.quality)
        report = msgspec.msgpack.decode(data, type=QualityReport)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    return report if report.models and all(map(is_sound, report.models)) else None


def is_sound(quality: ModelQuality) -> bool:
    """Return True if this program may have counted it: the file may come from somebody else."""
    lengths = {len(quality.raw_lengths), len(quality.sheared_lengths)}
    scores = quality.scores.values()
    bins = {len(each) for score in scores for each in (score.raw_bins, score.sheared_bins)}
    return (
        set(HEALTH_NAMES) <= quality.health.keys()
        and lengths == {LONGEST + 1}
        and bins <= {SCORE_BINS}
    )
