"""Cores shared by the model and the decoding threads of a worker without a GPU."""

from __future__ import annotations

import os
import sys
import time

import pytest

from engine.images.image import ImagePaths
from engine.worker.cpu_threads import Sharing
from engine.worker.image_prefetch import NICENESS, Preparing


def used(sharing: Sharing) -> float:
    while time.process_time() - sharing.began < 0.05:
        pass
    return time.process_time() - sharing.began


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
    sharing = Sharing(cores)
    assert sharing.threads(part * used(sharing), batches) == threads


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no niceness of its own")
@pytest.mark.parametrize("device, niceness", [("cpu", NICENESS), ("gpu", 0)])
def test_decoding_threads_let_the_model_go_first(device, niceness):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    preparing = Preparing(ImagePaths("/"), 2, device)
    got = preparing.pool.submit(os.getpriority, os.PRIO_PROCESS, 0).result()
    assert got == min(19, before + niceness)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
