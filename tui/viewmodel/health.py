"""What a run says of the health of captions: of each model, and of the whole project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.captioners.settings import Settings
from engine.quality.alarms import LOOK_AT, HealthRecord, limits_of, too_many

if TYPE_CHECKING:
    from db.rows import ModelRow
    from tui.viewmodel.snapshot import Snapshot


def sick_names(model: ModelRow) -> list[str]:
    """Return the defects that too many captions of a model have, the commonest first."""
    if not model.health:
        return []
    record = HealthRecord.of(model.health)
    limits = limits_of(Settings.of(model.settings).limits, record.pilot)
    return list(too_many(record.figures, limits))


def sick_lines(model: ModelRow) -> list[str]:
    """Return a line for each such defect: how many captions have it, and what to look at."""
    figures = HealthRecord.of(model.health).figures
    return [f"{figures.says(name)}: look at {LOOK_AT[name]}" for name in sick_names(model)]


def sick_parts(snapshot: Snapshot) -> Iterator[str]:
    """Yield a text such as "82 of 596 captions of llava loop" for each defect and model."""
    for model in snapshot.models:
        figures = HealthRecord.of(model.row.health).figures
        for name in sick_names(model.row):
            yield figures.says(name, f" of {model.row.name}")


def is_sick(snapshot: Snapshot) -> bool:
    """Return True if too many captions of a model have a defect."""
    return next(sick_parts(snapshot), None) is not None


def finished_line(snapshot: Snapshot) -> str | None:
    """Return the line about a project that is finished, although captions are bad; else None."""
    parts = list(sick_parts(snapshot))
    if snapshot.state != "finished" or not parts:
        return None
    return f"FINISHED, {'; '.join(parts)}"


def all_stopped(snapshot: Snapshot) -> bool:
    """Return True if all that is left is of models that were stopped for their captions."""
    left = [model for model in snapshot.models if model.pending or model.running]
    return bool(left) and all(model.row.health_stop for model in left)
