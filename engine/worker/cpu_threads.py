"""The cores of a worker without a GPU, shared by the model and the threads that decode images."""

from __future__ import annotations

import time


class Sharing:
    """Gives the model as many threads as its part of the processor time is worth.

    More of them than free cores would wait for each other at every operation: with half of the
    time spent on decoding, on two cores, one thread captioned 1.1 to 1.25 times as fast as two.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.began = time.process_time()

    def threads(self, decoding: float, batches: int) -> int:
        """Of each of so many batches; `decoding` is in processor seconds since this was made."""
        used = time.process_time() - self.began
        left = self.cores * (1 - decoding / used) if used else self.cores
        return max(1, round(left / batches))
