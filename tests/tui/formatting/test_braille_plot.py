from __future__ import annotations

import pytest

from tui.formatting import braille_plot
from tui.viewmodel.throughput import Pace, minute_points, recent_points
from tui.widgets.throughput import History


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
    assert braille_plot.labels(braille_plot.scale(highest)) == labels


def test_a_curve_goes_up_and_stays_inside() -> None:
    lines = braille_plot.curve([(0, 0), (10, 10)], 0, 20, 10, (20, 4))
    assert [len(line) for line in lines] == [20] * 4
    assert lines[-1].startswith("⡠") or lines[-1][0] != " "
    assert all(not line[11:].strip() for line in lines), "nothing after the last point"
    assert braille_plot.curve([], 0, 1, 1, (3, 2)) == ["   ", "   "]


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


def test_what_came_in_the_minute_before_it_was_looked_at() -> None:
    """A run that was over by then, and one that goes on."""
    begun, series = 10 * 60 + 50.0, ((10, 1, 100), (10, 2, 50))
    for now in (begun, 11 * 60 + 40.0):
        over = recent_points((), series, begun, None)
        assert [rate for _, rate in over] == [3, 3]
        assert over[0][0] == 10 and over[-1][0] < begun / 60
        assert recent_points((), series, now, 2)[0][1] == pytest.approx(1, abs=0.2)
    pace = Pace()
    for second in range(40):  # 4 images a second more
        pace.see(begun + second, {1: 100 + 4 * second, 2: 50})
    grown = ((10, 1, 140), (10, 2, 50), (11, 1, 116))
    going_on = recent_points(pace.rates(begun + 39), grown, begun + 39, None)
    assert [round(rate) for _, rate in going_on] == [3, 3, 4, 4, 4, 4, 4]


def test_nothing_came_before_it_was_looked_at() -> None:
    pace = Pace()
    for second in range(15):
        pace.see(640.0 + second, {1: 4 * second})
    points = recent_points(pace.rates(654.0), ((10, 1, 56),), 654.0, None)
    assert points[0][0] == pytest.approx(640 / 60)


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


def test_all_time_ends_with_the_last_image() -> None:
    known = History(5, 9e9, ((10, 1, 60), (25, 1, 60)))
    assert known.end == 30 * 60
    assert History(1, 9e9, ()).end == 0
