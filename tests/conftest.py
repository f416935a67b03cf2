from __future__ import annotations

import signal

import pytest


@pytest.fixture(autouse=True)
def keep_signal_handlers():
    """A supervisor that runs in the test's process sets its own."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
