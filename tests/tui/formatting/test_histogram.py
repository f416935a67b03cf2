"""Histograms in block characters."""

from __future__ import annotations

import pytest

from tui.formatting import histogram


@pytest.mark.parametrize(
    ("counts", "columns", "rows", "drawn"),
    [
        ([0, 4, 8], 3, 1, [" ▄█"]),
        ([0, 4, 8], 6, 1, ["  ▄▄██"]),
        ([8, 4, 1000], 3, 1, ["▁▁█"]),
        ([1, 3, 4, 0], 2, 1, ["██"]),
        ([4, 16], 2, 2, [" █", "▄█"]),
        ([0, 0], 2, 2, ["  ", "  "]),
    ],
)
def test_bars(counts: list[int], columns: int, rows: int, drawn: list[str]) -> None:
    assert histogram.bars(counts, columns, rows) == drawn


def test_the_axis_names_the_first_the_middle_and_the_last_bin() -> None:
    assert histogram.axis(11, 22) == "0         5         10"
    assert histogram.axis(3, 12, lambda index: f"{index / 10:.1f}") == "0.0 0.1  0.2"


@pytest.mark.parametrize(
    ("bins", "axis"), [(1, "0.00      "), (2, "0.00  0.01"), (3, "0.00  0.02")]
)
def test_labels_of_few_bins_do_not_run_into_each_other(bins: int, axis: str) -> None:
    assert histogram.axis(bins, 10, lambda index: f"{index / 100:.2f}") == axis


@pytest.mark.parametrize(("share", "bin_index"), [(0.05, 1), (0.5, 2), (0.95, 4)])
def test_quantiles(share: float, bin_index: int) -> None:
    assert histogram.quantile([0, 2, 6, 1, 1], share) == bin_index
    assert histogram.quantile([0, 0], share) == 0
