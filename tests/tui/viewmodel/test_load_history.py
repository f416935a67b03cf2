"""How busy devices were, in intervals of ten seconds."""

from __future__ import annotations

import pytest

from tui.viewmodel.load_history import INTERVALS, LoadHistory


def test_means_of_intervals() -> None:
    history = LoadHistory()
    for second, figure in ((0, 10.0), (4, 20.0), (9, 60.0), (12, 50.0)):
        history.observe(second, {"cuda:0": figure})
    history.observe(14, {"cuda:0": 70.0, "cuda:1": 5.0})
    assert history.recent()["cuda:0"] == pytest.approx((30.0, 60.0))
    assert history.recent()["cuda:1"] == (5.0,)


def test_a_device_that_is_gone_is_forgotten_and_the_oldest_intervals_go() -> None:
    history = LoadHistory()
    for second in range(0, 10 * (INTERVALS + 5), 10):
        history.observe(second, {"cuda:0": float(second)})
    recent = history.recent()["cuda:0"]
    assert (len(recent), recent[0]) == (INTERVALS, 50.0)
    history.observe(1e6, {})
    assert history.recent() == {}
