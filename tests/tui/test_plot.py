from __future__ import annotations

import pytest

from tui import plot
from tui.pace import Pace, minute_points, recent_points


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (0.0, ["0", "1"]),
        (0.02, ["0.00", "0.01", "0.02"]),
        (0.83, ["0.0", "0.5", "1.0"]),
        (7.4, ["0.0", "2.5", "5.0", "7.5"]),
        (340, ["0", "200", "400"]),
        (12_345, ["0", "5,000", "10,000", "15,000"]),
    ],
)
def test_labels_have_the_decimals_that_tell_them_apart(highest: float, labels: list[str]) -> None:
    assert plot.labels(plot.scale(highest)) == labels


def test_a_curve_goes_up_and_stays_inside() -> None:
    lines = plot.curve([(0, 0), (10, 10)], 0, 20, 10, (20, 4))
    assert [len(line) for line in lines] == [20] * 4
    assert lines[-1].startswith("⡠") or lines[-1][0] != " "
    assert all(not line[11:].strip() for line in lines), "nothing after the last point"
    assert plot.curve([], 0, 1, 1, (3, 2)) == ["   ", "   "]


def test_ten_second_slots_count_what_came() -> None:
    pace = Pace()
    for second in range(25):  # 8 images a second from 100 s on
        pace.see(100.0 + second, {1: 8 * second, 2: 0})
    rates = pace.rates(124.0)
    assert [(start, end) for start, end, _ in rates] == [(100, 110), (110, 120), (120, 124)]
    assert rates[1][2][1] == pytest.approx(8)
    assert rates[2][2][1] == pytest.approx(10, abs=2.1), "what is under way is shown already"
    points = recent_points(rates, (), 124.0, None)
    assert max(rate for _, rate in points) == pytest.approx(10, abs=2.1)
    assert recent_points(rates, (), 124.0, 2)[0][1] == 0


def test_a_quiet_time_is_no_slow_time() -> None:
    pace = Pace()
    pace.see(0.0, {1: 5})
    pace.see(95.0, {1: 105})
    rates = pace.rates(99.0)
    assert sum(rate.get(1, 0) > 0 for _, _, rate in rates) == 1
    assert len(rates) == 10


def test_minutes() -> None:
    series = ((10, 1, 60), (10, 2, 60), (12, 1, 120))
    now = 12 * 60 + 30.0
    both = minute_points(series, now, 30, None)
    assert [round(rate, 2) for _, rate in both] == [2, 2, 0, 4]
    one = minute_points(series, now, 30, 2)
    assert [round(rate, 2) for _, rate in one] == [1, 1, 0, 0][: len(one)]
    assert minute_points((), now, 30, None) == []
