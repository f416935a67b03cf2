"""The cores of a worker without a GPU, shared by the model and the decoding threads."""

from __future__ import annotations

import os
import sys
import time

import pytest

from engine.images.image import ImagePaths
from engine.worker.cpu_threads import ThreadBudget
from engine.worker.image_prefetch import NICENESS, ImagePrefetcher


def burn_cpu(budget: ThreadBudget) -> float:
    """Use processor time, and return the CPU seconds used since `budget` was made."""
    while time.process_time() - budget.began < 0.05:
        pass
    return time.process_time() - budget.began


@pytest.mark.parametrize(
    "cores, part, batches, threads",
    [
        (2, 0.5, 1, 1),
        (8, 0.5, 1, 4),
        (8, 0.02, 1, 8),
        (2, 1, 1, 1),
        (2, 0.02, 2, 1),
        (8, 0.5, 2, 2),
    ],
)
def test_the_model_gets_what_decoding_leaves(cores, part, batches, threads):
    budget = ThreadBudget(cores)
    assert budget.threads_per_batch(part * burn_cpu(budget), batches) == threads


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no niceness of its own")
@pytest.mark.parametrize("device, niceness", [("cpu", NICENESS), ("gpu", 0)])
def test_decoding_threads_let_the_model_go_first(device, niceness):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    prefetcher = ImagePrefetcher(ImagePaths("/"), 2, device)
    of_thread = prefetcher.pool.submit(os.getpriority, os.PRIO_PROCESS, 0).result()
    assert of_thread == min(19, before + niceness)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
