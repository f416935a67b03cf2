"""Histograms drawn in block characters, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

BARS = " ▁▂▃▄▅▆▇█"
"""Bars of a height of 0 to 8 eighths of a row."""


def bars(counts: Sequence[int], columns: int, rows: int) -> list[str]:
    """Return rows of text, the uppermost first, with a bar for each of the counts.

    A bar is as broad as there is room for; where there is none, neighbours are added up in one. Any
    count above 0 is visible.
    """
    bins = len(counts)
    if bins <= columns:
        shown = [counts[column * bins // columns] for column in range(columns)]
    else:
        shown = [0] * columns
        for index, count in enumerate(counts):
            shown[index * columns // bins] += count
    highest = max(shown)
    return [
        "".join(BARS[bar_height(count, highest, rows, row)] for count in shown)
        for row in range(rows)
    ]


def sparkline(values: Sequence[float], highest: float, columns: int) -> str:
    """Return the last `columns` values as bars in one row, the newest at the right.

    A bar of the height of the row stands for `highest`, which is above 0 if any value is. Any value
    above 0 is visible.
    """
    if not highest:
        return " " * columns
    heights = (min(8, max(value > 0, round(8 * value / highest))) for value in values[-columns:])
    return "".join(BARS[height] for height in heights).rjust(columns)


def bar_height(count: int, highest: int, rows: int, row: int) -> int:
    """Return the height of a bar in one of the rows, in eighths of it; row 0 is the uppermost."""
    eighths = max(1, round(8 * rows * count / highest)) if count else 0
    return max(0, min(8, eighths - 8 * (rows - 1 - row)))


def axis(bins: int, columns: int, label: Callable[[int], str] = str) -> str:
    """Return the line below a histogram: the labels of its first, middle and last bin.

    A label for which there is no room beside the first and the last is left out.
    """
    first, last = label(0), label(bins - 1)
    if bins == 1:
        return first[:columns].ljust(columns)
    middle = (bins - 1) // 2
    start, room = middle * columns // bins, columns - len(last)
    if len(first) < start and start + len(label(middle)) < room:
        first = first.ljust(start) + label(middle)
    return first[:room].ljust(room) + last


def quantile(counts: Sequence[int], share: float) -> int:
    """Return the bin below or in which this share of all counts lies; 0 if there are none."""
    wanted = share * sum(counts)
    return next((i for i, total in enumerate(accumulate(counts)) if total >= wanted), 0)
