"""Throughput over time, as points of a plot.

Two sources are joined: the database counts images by the minute; a reader of the database
observes, in intervals of ten seconds, how its counts grow. Times are in seconds since the epoch
unless a name says minutes; rates are in images per second. A model of None means all models.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Minute = tuple[int, int, int]
"""Minutes since the epoch, model id, images captioned in that minute."""
Point = tuple[float, float]
"""Minutes since the epoch, images per second."""
RateInterval = tuple[float, float, Mapping[int, float]]
"""Start and end of an interval in seconds since the epoch; images per second by model id."""

INTERVAL_SECONDS = 10.0
"""Length of one interval of observation."""
INTERVALS = 31
"""Intervals that are remembered: five minutes and the one that is not over yet."""
MIN_SECONDS = 3.0
"""A rate over fewer seconds than these says nothing yet and is not shown."""
MAX_POINTS = 240
"""The most points of a curve; more are averaged in groups."""


@dataclass(frozen=True)
class ThroughputHistory:
    """The images of all time by model, counted in steps of `step` minutes."""

    step: int
    read_at: float
    """When it was read: seconds since the epoch."""
    series: tuple[Minute, ...]

    @property
    def end(self) -> float:
        """The end of the last step with an image, in seconds since the epoch."""
        return 60.0 * max((minute + self.step for minute, _, _ in self.series), default=0)


class ThroughputMeter:
    """Measures rates from repeated observations of image counts that only grow."""

    def __init__(self) -> None:
        self.began = 0.0
        """Time of the first observation."""
        self.counts: Mapping[int, int] | None = None
        """Images by model id, as last observed."""
        self.intervals: deque[tuple[int, dict[int, int]]] = deque(maxlen=INTERVALS)
        """The number of each interval since the epoch, and the new images in it by model id."""

    def observe(self, now: float, counts: Mapping[int, int]) -> None:
        """Record the images of each model (by id) so far; new ones count for the present interval.

        The first observation only sets the counts to start from.
        """
        if self.counts is None:
            self.began, self.counts = now, counts
        interval = int(now // INTERVAL_SECONDS)
        first = self.intervals[-1][0] + 1 if self.intervals else interval
        self.intervals.extend(
            (quiet, {}) for quiet in range(max(first, interval - INTERVALS), interval + 1)
        )
        new_images = self.intervals[-1][1]
        for model, count in counts.items():
            grown = count - self.counts.get(model, 0)
            if grown > 0:
                new_images[model] = new_images.get(model, 0) + grown
        self.counts = counts

    def rates(self, now: float) -> tuple[RateInterval, ...]:
        """Return the rates of all intervals so far; the last one ends at `now`."""
        result = []
        for interval, images in self.intervals:
            start = max(interval * INTERVAL_SECONDS, self.began)
            end = min((interval + 1) * INTERVAL_SECONDS, now)
            if end - start >= MIN_SECONDS:
                rates = {model: count / (end - start) for model, count in images.items()}
                result.append((start, end, rates))
        return tuple(result)


def recent_points(
    intervals: Sequence[RateInterval],
    images_by_minute: Sequence[Minute],
    now: float,
    model: int | None,
) -> list[Point]:
    """Return the curve of the last five minutes.

    `intervals` are preferred; the time before the first of them is filled from `images_by_minute`.
    """
    began = intervals[0][0] if intervals else now
    first = int(began // 60)
    earlier = [row for row in images_by_minute if row[0] < first]
    points = [point for point in minute_points(earlier, now, 5, model) if point[0] < first]
    # The minute in which observation began: what came in it before that gets a rate of its own.
    seconds_before = began - 60 * first
    unobserved = unobserved_images(first, images_by_minute, intervals, model)
    if unobserved >= 1 and seconds_before >= MIN_SECONDS and began > now - 300:
        rate = unobserved / seconds_before
        points += [(first, rate), ((first + began / 60) / 2, rate)]
    for start, end, rates in intervals:
        rate = sum(rates.values()) if model is None else rates.get(model, 0.0)
        points.append(((start + end) / 120, rate))
    return extended(
        points,
        first=intervals[0][0] / 60 if intervals else None,
        last=intervals[-1][1] / 60 if intervals else None,
    )


def unobserved_images(
    minute: int,
    images_by_minute: Sequence[Minute],
    intervals: Sequence[RateInterval],
    model: int | None,
) -> float:
    """Return the images of that minute (since the epoch) that are in none of the intervals."""
    images: Counter[int] = Counter()
    for row_minute, row_model, count in images_by_minute:
        images[row_model] += count if row_minute == minute else 0
    for start, end, rates in intervals:
        for row_model, rate in rates.items():
            images[row_model] -= round(rate * (end - start)) if start // 60 == minute else 0
    return images.total() if model is None else images[model]


def minute_points(
    images_by_minute: Sequence[Minute],
    now: float,
    window: int | None,
    model: int | None,
    step: int = 1,
) -> list[Point]:
    """Return the curve of the last `window` minutes (None: of all time), a point a `step` minutes.

    A step without any image has the rate 0. The step that is not over yet is measured so far.
    """
    images: dict[int, int] = {}
    for minute, row_model, count in images_by_minute:
        if model is None or row_model == model:
            images[minute // step] = images.get(minute // step, 0) + count
    if not images:
        return []
    current = now / 60 / step
    first = min(images) if window is None else max(min(images), int(current - window / step))
    points: list[Point] = []
    for index in range(first, int(current) + 1):
        seconds = min(step * 60.0, now - index * step * 60)
        if index < int(current) or (seconds >= 2 * MIN_SECONDS and index in images):
            middle = index * step + seconds / 120
            points.append((middle, images.get(index, 0) / seconds))
    points = thinned(points)
    if not points:
        return []
    return extended(points, first=first * step, last=None if len(points) > 1 else now / 60)


def extended(points: list[Point], first: float | None, last: float | None) -> list[Point]:
    """Return the points with the curve drawn out flat to begin at `first` and end at `last`.

    Points lie in the middle of their intervals; the curve covers the intervals whole. `first` and
    `last` are in minutes since the epoch.
    """
    if points and first is not None and first < points[0][0]:
        points = [(first, points[0][1]), *points]
    if points and last is not None and last > points[-1][0]:
        points = [*points, (last, points[-1][1])]
    return points


def thinned(points: list[Point]) -> list[Point]:
    """Return at most `MAX_POINTS` points: each the mean rate of a group of neighbours."""
    group_size = -(-len(points) // MAX_POINTS)
    if group_size < 2:
        return points
    groups = [points[i : i + group_size] for i in range(0, len(points), group_size)]
    return [(group[0][0], sum(v for _, v in group) / len(group)) for group in groups]
