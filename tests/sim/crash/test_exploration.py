"""A part of the exploration, the same each time, and the planted bugs that it must find."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sim.crash.exploration import Exploration, Report
from tests.sim.crash.planted import PLANTED, Patch

LIVES = (
    ("run and stop", "run", "retry"),
    ("run", "retry", "run"),
    ("run and stop", "exclude", "run"),
    ("take back in", "run", "shear again"),
    ("run", "exclude in vain", "set"),
    ("run and stop", "retry failed", "add a model"),
    ("run and stop", "rebuild", "run"),
    ("run", "damage", "run"),
)
"""Lives in which every step comes after something that matters to it."""
STATES = 2_500
"""Distinct crash states that are looked at: less than ten seconds of CPU time."""


def explore(states: int, **limits: int) -> Report:
    exploration = Exploration(states, **limits)
    with exploration.ready() as scene:
        exploration.explore(scene, 3, LIVES)
    return exploration.report


def test_no_crash_costs_what_was_promised() -> None:
    report = explore(STATES, most=12, most_ends=30)
    assert not report.violations, "\n".join(report.violations)
    assert report.distinct >= STATES
    assert report.ends == 30
    assert {"Write", "Rename", "Link", "Unlink", "Commit", "SyncFile"} <= set(report.by_operation)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__.replace("_", " "))
def test_a_planted_bug_is_found(bug: Callable[[], Patch]) -> None:
    with bug():
        report = explore(STATES, stop_at=1, most=6, most_ends=30)
    assert report.violations
