"""The cores of a worker without a GPU, shared by the model and the threads that decode images."""

from __future__ import annotations

import sys
import time


class Sharing:
    """Gives the model as many threads as its part of the processor time is worth.

    More of them than free cores would wait for each other at every operation: with half of the
    time spent on decoding, on two cores, one thread captioned 1.1 to 1.25 times as fast as two.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.threads = 0  # an earlier model's, if not all
        self.began = time.process_time()

    def share(self, decoding: float) -> None:
        """`decoding` is in processor seconds since this was made."""
        torch = sys.modules.get("torch")
        used = time.process_time() - self.began
        if torch is None or not used:
            return
        threads = max(1, round(self.cores * (1 - decoding / used)))
        if threads != self.threads:
            self.threads = threads
            torch.set_num_threads(threads)
