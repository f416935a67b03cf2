"""Signs of progress of a model that computes slowly: whenever a layer is done.

A batch may take a CPU longer than what counts as hung, its first step already: the prompts of all
its images. So every module that was computed counts. On a GPU each call would cost the host time
that its kernels wait for, and a batch takes seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from torch.nn.modules.module import register_module_forward_hook

SECONDS = 5.0
"""Between two signs, at least."""


def watch(tell: Callable[[], None]) -> None:
    """Has `tell` called after modules of any model in this process; for good."""
    told = time.monotonic()

    def done(*_: Any) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= SECONDS:
            told = now
            tell()

    register_module_forward_hook(done)
