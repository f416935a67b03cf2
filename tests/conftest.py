"""Fixtures and options for all tests."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No test may fail because the machine is slow.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time: `make slow` looks for others.
settings.register_profile("tests", settings.get_profile("random"), derandomize=True)
settings.load_profile("tests")


# Searches for garbage are rare: those of Python's default thresholds take a fifth of the time in
# which tests are collected, and a third of the time of the tests of the application.
gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish() -> None:
    """Spare what was imported from every later search for garbage, in forks, too."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Leave nothing to the five searches of a whole heap with which pytest ends."""
    gc.freeze()


@pytest.fixture(autouse=True)
def restore_signal_handlers() -> Iterator[None]:
    """Restore the signal handlers, which a supervisor in the test's process replaces."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def isolated_user_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep tests away from the settings and recent projects of the person who runs them."""
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        type=Path,
        default=Path(__file__).parent / "golden",
        metavar="DIR",
        help="Run the golden tests on the fixtures in DIR: any subset of the folders here.",
    )
