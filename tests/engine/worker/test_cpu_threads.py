"""The cores of a worker without a GPU, shared by the model and the decoding threads."""

from __future__ import annotations

import os
import sys

import pytest

from engine.images.image import ImagePaths
from engine.worker.cpu_threads import ThreadBudget
from engine.worker.image_prefetch import NICENESS, ImagePrefetcher


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
def test_the_model_gets_what_decoding_leaves(
    cores: int, part: float, batches: int, threads: int
) -> None:
    clock = iter([7.0, 107.0])
    budget = ThreadBudget(cores, process_time=lambda: next(clock))
    assert budget.threads_per_batch(part * 100.0, batches) == threads


def test_before_anything_was_measured_the_model_gets_all_cores() -> None:
    assert ThreadBudget(8, process_time=lambda: 7.0).threads_per_batch(0.0, 2) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no niceness of its own")
@pytest.mark.parametrize("device, niceness", [("cpu", NICENESS), ("gpu", 0)])
def test_decoding_threads_let_the_model_go_first(device: str, niceness: int) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    prefetcher = ImagePrefetcher(ImagePaths("/"), 2, device)
    of_thread = prefetcher.pool.submit(os.getpriority, os.PRIO_PROCESS, 0).result()
    assert of_thread == min(19, before + niceness)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
