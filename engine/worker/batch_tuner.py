"""The automatic batch size of a worker: doubled for as long as doubling captions faster."""

from __future__ import annotations

TIMED_BATCHES = 4
"""Number of full batches of one size that are timed, after a first one that warms up. The number is
even because two batches that are captioned side by side may both end at one time."""
MIN_GAIN = 1.05
"""Smallest factor in images/s for which a doubled batch size is kept."""
CPU_MIN_GAIN = 0.95
"""The same factor on a CPU. It is below 1 because a CPU's rates vary by a tenth, because batches
side by side take less from each other the larger they are, and because models that are fast enough
to get there need little memory."""
MAX_BATCH = 256
"""Largest batch size in images: four batches of prepared images are held in memory."""
MAX_SECONDS = 20.0
"""Longest duration of a batch after doubling, in seconds: a dying worker loses its batches."""


class BatchTuner:
    """The search for the batch size of one loaded model on one device.

    All times are in seconds of one monotonic clock.
    """

    def __init__(self, size: int, min_gain: float = MIN_GAIN) -> None:
        self.size = size
        """Number of images that the next batch should have."""
        self.min_gain = min_gain
        self.settled = 2 * size > MAX_BATCH
        """True if `size` does not change any more."""
        self.rate = 0.0
        """Images/s with the previous size."""
        self.ends: list[float] = []
        """Times at which batches of this size ended."""
        self.images = 0
        """Images of all of these but the first."""

    def resume(self, now: float) -> None:
        """Leave the time since the last batch out of the measurement, as after a pause."""
        if self.ends:
            pause = now - self.ends[-1]
            self.ends = [end + pause for end in self.ends]

    def on_batch_end(self, size: int, images: int, now: float) -> str | None:
        """Record the end of a batch of a size, in which there were so many images.

        There are fewer than the size where their prompts are longer than most.

        Return a message if `size` changed or is settled now, else None.
        """
        if self.settled or size < self.size:
            return None
        self.images += images if self.ends else 0
        self.ends.append(now)
        if len(self.ends) <= TIMED_BATCHES:
            return None
        rate = self.images / max(self.ends[-1] - self.ends[0], 1e-6)
        self.ends, self.images = [], 0
        if rate < self.min_gain * self.rate:
            self.settled = True
            self.size //= 2
            return f"{self.rate:.1f} images/s; twice as large is no faster ({rate:.1f})"
        self.rate = rate
        if 2 * self.size > MAX_BATCH or self.size / rate > MAX_SECONDS / 2:
            self.settled = True
            return f"{rate:.1f} images/s"
        self.size *= 2
        return f"{rate:.1f} images/s; trying twice as large"

    @property
    def proven_size(self) -> int:
        """The largest batch size that is known to fit into memory and to be worth its time."""
        return self.size if self.settled else self.size // 2
