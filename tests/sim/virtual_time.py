"""The clock of a simulation, and what is going to happen when."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

MONOTONIC_START = 1_000.0
EPOCH_START = 1_700_000_000.0
"""Seconds at which the two clocks begin."""


class VirtualTime:
    """A clock (`engine.utils.clock.Clock`) that moves from event to event."""

    def __init__(self) -> None:
        self.now = MONOTONIC_START
        self.epoch_ahead = EPOCH_START - MONOTONIC_START
        """Seconds by which the clock that people set is ahead of the monotonic one."""
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        """A heap of (when, number, what)."""
        self.numbers = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + self.epoch_ahead

    def sleep(self, seconds: float) -> None:
        self.advance(self.now + seconds)

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen later."""
        heapq.heappush(self.events, (self.now + seconds, next(self.numbers), what))

    def advance(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Move to that instant and let happen what is due, in order; `stop` is asked in between."""
        while self.events and self.events[0][0] <= until:
            at, _, what = heapq.heappop(self.events)
            self.now = max(self.now, at)
            what()
            if stop():
                return
        self.now = max(self.now, until)

    def forget(self) -> None:
        """Have nothing happen any more that was to happen."""
        self.events.clear()
