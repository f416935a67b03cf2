"""Progress reports of a model that computes slowly: after a module of it has run.

On a CPU a batch may take longer than the time after which a worker counts as hung; its prefill
alone may, which reads the prompts of all its images. So every module that has run counts as
progress. A GPU is left out: each hook call would cost host time that its kernels wait for, and a
batch takes only seconds there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from torch.nn.modules.module import register_module_forward_hook

REPORT_SECONDS = 5.0
"""Least time between two reports, in seconds: far below the minutes after which a
worker without progress counts as hung."""


def watch(report: Callable[[], None]) -> None:
    """Call `report` after modules of any model in this process have run.

    The hook stays for the life of the process. Calls are at least `REPORT_SECONDS` apart.
    """
    last_report = time.monotonic()

    def after_forward(*_: Any) -> None:
        nonlocal last_report
        now = time.monotonic()
        if now - last_report >= REPORT_SECONDS:
            last_report = now
            report()

    register_module_forward_hook(after_forward)
