"""A run raises its limit of open files as far as it may, and says if that is too little."""

from __future__ import annotations

import resource

import pytest

from engine.hardware.open_files import AMPLE_FILES, ensure_open_files
from engine.utils.errors import BadInput

UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits in force, (soft, hard), the last one counts."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    return limits


@pytest.mark.parametrize(
    ("soft", "hard", "workers", "after"),
    [
        (16, UNLIMITED, 1, AMPLE_FILES),
        (16, 1024, 8, 1024),
        (40, 40, 1, 40),
        (5000, 5000, 8, 5000),
        (UNLIMITED, UNLIMITED, 8, UNLIMITED),
    ],
)
def test_the_limit_is_raised(
    limits: list[tuple[int, int]], soft: int, hard: int, workers: int, after: int
) -> None:
    limits.append((soft, hard))
    ensure_open_files(workers)
    assert limits[-1] == (after, hard)


@pytest.mark.parametrize(("hard", "workers"), [(16, 1), (39, 1), (64, 8)])
def test_too_few_are_refused(limits: list[tuple[int, int]], hard: int, workers: int) -> None:
    limits.append((hard, hard))
    with pytest.raises(BadInput, match=f"only {hard} files may be open at once"):
        ensure_open_files(workers)
    assert limits == [(hard, hard)]
