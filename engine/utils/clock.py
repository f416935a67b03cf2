"""The clock that everything which decides by time is handed, so that a test can hand in its own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks and a way to wait. All values are in seconds."""

    def time(self) -> float:
        """Return seconds since the epoch. People and NTP set this clock, also back."""

    def monotonic(self) -> float:
        """Return seconds since some fixed instant; this clock is never set."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clocks of this machine."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
