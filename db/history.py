"""Queries of what was done since the project was made: how long it was worked on, and what came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from db.tables import ATTEMPT, TASK, THROUGHPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The time of some attempts; times are in seconds since the epoch."""

    began: float
    """When the first began."""
    ended: float
    """When the last ended."""
    seconds: float
    """For how long at least one was under way."""


def work_by_model(connection: Connection) -> dict[int | None, Work]:
    """Return the time of all ended attempts, by model id, and under None that of all models."""
    spans: defaultdict[int | None, list[tuple[float, float]]] = defaultdict(list)
    rows = connection.execute(
        select(TASK.c.model_id, ATTEMPT.c.started, ATTEMPT.c.ended)
        .join(TASK, TASK.c.id == ATTEMPT.c.task_id)
        .where(ATTEMPT.c.ended.is_not(None))
        .order_by(ATTEMPT.c.started)
    )
    for model_id, started, ended in rows:
        spans[model_id].append((started, ended))
        spans[None].append((started, ended))
    return {model_id: total_work(each) for model_id, each in spans.items()}


def total_work(spans: Iterable[tuple[float, float]]) -> Work:
    """Return the time that spans (start, end) cover together; they are in order of their starts."""
    (began, until), *others = spans
    seconds = until - began
    for start, end in others:
        seconds += max(0.0, end - max(start, until))
        until = max(until, end)
    return Work(began=began, ended=until, seconds=seconds)


def images_by_model(connection: Connection) -> dict[int, int]:
    """Return how many images each model has looked at, by its id; again counts again."""
    rows = connection.execute(
        select(THROUGHPUT.c.model_id, func.sum(THROUGHPUT.c.images)).group_by(THROUGHPUT.c.model_id)
    )
    return {model_id: images for model_id, images in rows}
