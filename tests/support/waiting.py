"""Waiting until other processes have done something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

TIMEOUT_SECONDS = 400.0
"""The longest that a test waits, in seconds: long, so that no test fails on a slow machine.

Two minutes were too few on a machine three times slower than usual, with all parts side by side."""


def wait_for(
    condition: Callable[[], Any], timeout: float = TIMEOUT_SECONDS, every: float = 0.05
) -> Any:
    """Return the first true value of `condition`, called every `every` seconds.

    A condition that takes long is called less often, so that the wait takes no CPU time from what
    it waits for. Raises AssertionError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while (began := time.monotonic()) < deadline:
        if value := condition():
            return value
        time.sleep(max(every, 4 * (time.monotonic() - began)))
    raise AssertionError(f"not so within {timeout} s: {condition}")
