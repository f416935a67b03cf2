"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 120.0
"""Seconds: a slow machine is no failure."""


def wait_for(condition: Callable[[], Any], timeout: float = PATIENCE, every: float = 0.05) -> Any:
    """The first true value; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(every)
    raise AssertionError(f"not so within {timeout} s: {condition}")
