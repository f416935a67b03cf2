"""Cores shared by the model and the decoding threads of a worker without a GPU."""

from __future__ import annotations

import os
import sys
import time

import pytest
import torch

from engine.images import ImagePaths
from engine.preparing import NICENESS, Preparing
from engine.sharing import Sharing


@pytest.fixture(autouse=True)
def threads_again():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def used(sharing: Sharing) -> float:
    while time.process_time() - sharing.began < 0.05:
        pass
    return time.process_time() - sharing.began


@pytest.mark.parametrize(
    "cores, part, threads", [(2, 0.5, 1), (8, 0.5, 4), (8, 0.02, 8), (2, 1, 1)]
)
def test_the_model_gets_what_decoding_leaves(cores, part, threads):
    torch.set_num_threads(cores)
    sharing = Sharing(cores)
    sharing.share(part * used(sharing))
    assert torch.get_num_threads() == threads


def test_the_next_model_does_not_keep_the_threads_of_the_one_before():
    torch.set_num_threads(1)
    sharing = Sharing(2)
    sharing.share(0.01 * used(sharing))
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no niceness of its own")
@pytest.mark.parametrize("device, niceness", [("cpu", NICENESS), ("gpu", 0)])
def test_decoding_threads_let_the_model_go_first(device, niceness):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    preparing = Preparing(ImagePaths("/"), 2, device)
    got = preparing.pool.submit(os.getpriority, os.PRIO_PROCESS, 0).result()
    assert got == min(19, before + niceness)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
