"""How fast images come: by the minute from the database, by ten seconds as a reader saw them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence

Minute = tuple[int, int, int]
"""Minutes since the epoch, model id, images captioned in that minute."""
Point = tuple[float, float]
"""Minutes since the epoch, images per second."""

SLOT = 10.0
"""Seconds."""
SLOTS = 31
"""Five minutes and what is under way."""
TOO_SHORT = 3.0
"""Seconds that say nothing about a rate yet."""
POINTS = 240


class Pace:
    """Ten-second slots of what came in between two looks at counts that only grow."""

    def __init__(self) -> None:
        self.began = 0.0
        self.counts: Mapping[int, int] | None = None
        self.slots: deque[tuple[int, dict[int, int]]] = deque(maxlen=SLOTS)

    def see(self, now: float, counts: Mapping[int, int]) -> None:
        if self.counts is None:
            self.began, self.counts = now, counts
        slot = int(now // SLOT)
        first = self.slots[-1][0] + 1 if self.slots else slot
        self.slots.extend((quiet, {}) for quiet in range(max(first, slot - SLOTS), slot + 1))
        here = self.slots[-1][1]
        for model, count in counts.items():
            came = count - self.counts.get(model, 0)
            if came > 0:
                here[model] = here.get(model, 0) + came
        self.counts = counts

    def rates(self, now: float) -> tuple[tuple[float, float, dict[int, float]], ...]:
        """Start and end of each slot in seconds, and each model's images per second in it."""
        found = []
        for slot, images in self.slots:
            start, end = max(slot * SLOT, self.began), min((slot + 1) * SLOT, now)
            if end - start >= TOO_SHORT:
                rates = {model: count / (end - start) for model, count in images.items()}
                found.append((start, end, rates))
        return tuple(found)


def recent_points(
    slots: Sequence[tuple[float, float, Mapping[int, float]]],
    series: Sequence[Minute],
    now: float,
    model: int | None,
) -> list[Point]:
    """Five minutes: what was not seen by the ten seconds is known by the minute."""
    began = slots[0][0] if slots else now
    first = int(began // 60)
    earlier = [row for row in series if row[0] < first]
    points = [it for it in minute_points(earlier, now, 5, model) if it[0] < first]
    before = began - 60 * first
    unseen = images_in(first, series, slots, model)
    if unseen >= 1 and before >= TOO_SHORT and began > now - 300:
        points += [(first, unseen / before), ((first + began / 60) / 2, unseen / before)]
    for start, end, rates in slots:
        rate = sum(rates.values()) if model is None else rates.get(model, 0.0)
        points.append(((start + end) / 120, rate))
    return capped(points, slots[0][0] / 60 if slots else None, slots[-1][1] / 60 if slots else None)


def images_in(
    minute: int,
    series: Sequence[Minute],
    slots: Sequence[tuple[float, float, Mapping[int, float]]],
    model: int | None,
) -> float:
    """Images of that minute which no slot has seen."""
    images: Counter[int] = Counter()
    for its, its_model, count in series:
        images[its_model] += count if its == minute else 0
    for start, end, rates in slots:
        for its_model, rate in rates.items():
            images[its_model] -= round(rate * (end - start)) if start // 60 == minute else 0
    return images.total() if model is None else images[model]


def minute_points(
    series: Sequence[Minute], now: float, window: int | None, model: int | None, step: int = 1
) -> list[Point]:
    """Steps of `step` minutes; those without any image are 0, the one under way as far as it is."""
    images: dict[int, int] = {}
    for minute, its_model, count in series:
        if model is None or its_model == model:
            images[minute // step] = images.get(minute // step, 0) + count
    if not images:
        return []
    current = now / 60 / step
    first = min(images) if window is None else max(min(images), int(current - window / step))
    points: list[Point] = []
    for place in range(first, int(current) + 1):
        seconds = min(step * 60.0, now - place * step * 60)
        if place < int(current) or (seconds >= 2 * TOO_SHORT and place in images):
            middle = place * step + seconds / 120
            points.append((middle, images.get(place, 0) / seconds))
    points = thinned(points)
    if not points:
        return []
    return capped(points, first * step, None if len(points) > 1 else now / 60)


def capped(points: list[Point], first: float | None, last: float | None) -> list[Point]:
    """Begins at the start of the first slot and ends at the end of the last, not amid them."""
    if points and first is not None and first < points[0][0]:
        points = [(first, points[0][1]), *points]
    if points and last is not None and last > points[-1][0]:
        points = [*points, (last, points[-1][1])]
    return points


def thinned(points: list[Point]) -> list[Point]:
    step = -(-len(points) // POINTS)
    if step < 2:
        return points
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return [(group[0][0], sum(v for _, v in group) / len(group)) for group in groups]
