"""How large a batch should be: doubled for as long as that captions faster."""

from __future__ import annotations

TRIALS = 3
"""Full batches of a size that are timed; the best counts, since the first ones warm up."""
GAIN = 1.05
"""What a doubled batch must bring in images a second to be kept."""
LARGEST = 256
"""Three batches of prepared images are held in memory."""
LONGEST = 20.0
"""Seconds a batch may take before it is doubled: what is in flight is lost when a worker dies."""


class Growth:
    """`size` is the batch to take next."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.settled = 2 * size > LARGEST
        self.rate = 0.0
        """Images a second of the size before."""
        self.trials: list[float] = []

    def timed(self, images: int, seconds: float) -> str | None:
        """Takes the time of a batch; if `size` changed or is settled now, says so in words."""
        if self.settled or images < self.size:
            return None
        self.trials.append(images / max(seconds, 1e-6))
        if len(self.trials) < TRIALS:
            return None
        rate, self.trials = max(self.trials), []
        if rate < GAIN * self.rate:
            self.settled = True
            self.size //= 2
            return f"{self.rate:.1f} images/s; twice as large is no faster ({rate:.1f})"
        self.rate = rate
        if 2 * self.size > LARGEST or self.size / rate > LONGEST / 2:
            self.settled = True
            return f"{rate:.1f} images/s"
        self.size *= 2
        return f"{rate:.1f} images/s; trying twice as large"

    @property
    def fits(self) -> int:
        """The largest that is known to be good."""
        return self.size if self.settled else self.size // 2
