"""How busy devices were lately, as a reader of the database observed it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping

INTERVAL_SECONDS = 10.0
"""Length of one interval of observation."""
INTERVALS = 30
"""Intervals that are remembered: five minutes."""


class LoadHistory:
    """Means of a figure of each device in intervals, the newest last."""

    def __init__(self) -> None:
        self.interval = -1
        """The number, since the epoch, of the interval that is under way."""
        self.means: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=INTERVALS))
        """The mean of each interval in which the device was observed, by its id."""
        self.observed = 0
        """Observations in the interval that is under way."""

    def observe(self, now: float, figures: Mapping[str, float]) -> None:
        """Take in the present figure of each device; one that is not among them is forgotten."""
        interval = int(now // INTERVAL_SECONDS)
        is_new = interval != self.interval
        self.interval, self.observed = interval, 1 if is_new else self.observed + 1
        for device in self.means.keys() - figures.keys():
            del self.means[device]
        for device, figure in figures.items():
            means = self.means[device]
            if is_new or not means:
                means.append(figure)
            else:
                means[-1] += (figure - means[-1]) / self.observed

    def recent(self) -> dict[str, tuple[float, ...]]:
        """Return the means of each device, by its id."""
        return {device: tuple(means) for device, means in self.means.items()}
