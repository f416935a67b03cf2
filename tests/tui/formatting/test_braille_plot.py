"""Scales, labels and curves of the braille plot."""

from __future__ import annotations

import pytest

from tui.formatting import braille_plot


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
