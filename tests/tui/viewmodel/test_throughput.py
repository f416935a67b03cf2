"""Rates measured by observation, and the curves made of rates and minutes."""

from __future__ import annotations

import pytest

from tui.viewmodel.throughput import (
    ThroughputHistory,
    ThroughputMeter,
    minute_points,
    recent_points,
)


def test_intervals_of_ten_seconds_count_new_images() -> None:
    meter = ThroughputMeter()
    for second in range(25):  # 8 images a second from 100 s on
        meter.observe(100.0 + second, {1: 8 * second, 2: 0})
    rates = meter.rates(124.0)
    assert [(start, end) for start, end, _ in rates] == [(100, 110), (110, 120), (120, 124)]
    assert rates[1][2][1] == pytest.approx(8)
    assert rates[2][2][1] == pytest.approx(10, abs=2.1), "the last one is not over yet"
    points = recent_points(rates, (), 124.0, None)
    assert max(rate for _, rate in points) == pytest.approx(10, abs=2.1)
    assert recent_points(rates, (), 124.0, 2)[0][1] == 0


def test_the_first_minute_shows_images_from_before_the_first_observation() -> None:
    """A run that is over by then, and one that goes on."""
    began, series = 10 * 60 + 50.0, ((10, 1, 100), (10, 2, 50))
    for now in (began, 11 * 60 + 40.0):
        ended = recent_points((), series, began, None)
        assert [rate for _, rate in ended] == [3, 3]
        assert ended[0][0] == 10 and ended[-1][0] < began / 60
        assert recent_points((), series, now, 2)[0][1] == pytest.approx(1, abs=0.2)
    meter = ThroughputMeter()
    for second in range(40):  # 4 images a second more
        meter.observe(began + second, {1: 100 + 4 * second, 2: 50})
    later_series = ((10, 1, 140), (10, 2, 50), (11, 1, 116))
    running = recent_points(meter.rates(began + 39), later_series, began + 39, None)
    assert [round(rate) for _, rate in running] == [3, 3, 4, 4, 4, 4, 4]


def test_without_earlier_images_the_curve_begins_at_the_first_observation() -> None:
    meter = ThroughputMeter()
    for second in range(15):
        meter.observe(640.0 + second, {1: 4 * second})
    points = recent_points(meter.rates(654.0), ((10, 1, 56),), 654.0, None)
    assert points[0][0] == pytest.approx(640 / 60)


def test_quiet_intervals_have_the_rate_zero() -> None:
    meter = ThroughputMeter()
    meter.observe(0.0, {1: 5})
    meter.observe(95.0, {1: 105})
    rates = meter.rates(99.0)
    assert sum(rate.get(1, 0) > 0 for _, _, rate in rates) == 1
    assert len(rates) == 10


def test_minute_points_have_zeros_between() -> None:
    series = ((10, 1, 60), (10, 2, 60), (12, 1, 120))
    now = 12 * 60 + 30.0
    both = minute_points(series, now, 30, None)
    assert [round(rate, 2) for _, rate in both] == [2, 2, 0, 4]
    one = minute_points(series, now, 30, 2)
    assert [round(rate, 2) for _, rate in one] == [1, 1, 0, 0][: len(one)]
    assert minute_points((), now, 30, None) == []


def test_the_history_ends_with_the_last_image() -> None:
    history = ThroughputHistory(5, 9e9, ((10, 1, 60), (25, 1, 60)))
    assert history.end == 30 * 60
    assert ThroughputHistory(1, 9e9, ()).end == 0
