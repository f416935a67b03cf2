"""How large a batch should be: doubled for as long as that captions faster."""

from __future__ import annotations

TRIALS = 4
"""Full batches of a size that are timed, behind a first one that warms up. Even: of two that are
captioned side by side, both may end at a time."""
GAIN = 1.05
"""What a doubled batch must bring in images a second to be kept."""
CPU_GAIN = 0.95
"""On a CPU, whose figures vary by a tenth: what batches side by side take from each other is the
less the larger they are, and the memory of models that are fast enough to get there is small."""
LARGEST = 256
"""Four batches of prepared images are held in memory."""
LONGEST = 20.0
"""Seconds a batch may take before it is doubled: what is in flight is lost when a worker dies."""


class Growth:
    """`size` is the batch to take next."""

    def __init__(self, size: int, gain: float = GAIN) -> None:
        self.size = size
        self.gain = gain
        self.settled = 2 * size > LARGEST
        self.rate = 0.0
        """Images a second of the size before."""
        self.ends: list[float] = []
        """When batches of this size ended."""

    def resume(self, at: float) -> None:
        """After a pause, which does not count."""
        if self.ends:
            pause = at - self.ends[-1]
            self.ends = [end + pause for end in self.ends]

    def ended(self, images: int, at: float) -> str | None:
        """Takes when a batch ended, in seconds; if `size` changed or is settled now, says so in
        words."""
        if self.settled or images < self.size:
            return None
        self.ends.append(at)
        if len(self.ends) <= TRIALS:
            return None
        rate = TRIALS * self.size / max(self.ends[-1] - self.ends[0], 1e-6)
        self.ends = []
        if rate < self.gain * self.rate:
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
