"""How a worker without a GPU shares its cores between the model and the decoding threads."""

from __future__ import annotations

import time
from collections.abc import Callable


class ThreadBudget:
    """Gives the model as many torch threads as the processor time that decoding leaves is worth.

    With more threads than free cores they would wait for each other at every operation: with half
    of the time spent on decoding, on two cores, one thread captioned 1.1 to 1.25 times as fast as
    two.
    """

    def __init__(self, cores: int, process_time: Callable[[], float] = time.process_time) -> None:
        """`process_time` returns the CPU seconds that this process has used."""
        self.cores = cores
        self.process_time = process_time
        self.began = process_time()
        """CPU seconds that this process had used at construction."""

    def threads_per_batch(self, decoding: float, batches: int) -> int:
        """Return the torch threads of each of `batches` concurrent batches.

        `decoding` is in CPU seconds spent on decoding since construction.
        """
        used = self.process_time() - self.began
        left = self.cores * (1 - decoding / used) if used else self.cores
        return max(1, round(left / batches))
