"""A curve in braille dots with its axes, as lines of `Content`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from tui.formatting import braille_plot
from tui.formatting.braille_plot import Point

AXIS = "$foreground-muted"


def framed_curve(
    points: Sequence[Point],
    left: float,
    right: float,
    size: tuple[int, int],
    x_labels: Callable[[int], str],
    y_label: Callable[[float], str] | None = None,
) -> list[Content]:
    """Return a curve of at least one point from `left` to `right`, in lines of `size` cells.

    `x_labels` returns the labels of the x axis for so many cells, `y_label` that of a value.
    """
    width, height = size
    ticks = braille_plot.scale(max(value for _, value in points), steps=2 if height < 9 else 3)
    labels = braille_plot.labels(ticks) if y_label is None else list(map(y_label, ticks))
    gutter = max(map(len, labels))
    rows, columns = height - 2, width - gutter - 1
    row_labels = {
        rows - 1 - round(n * (rows - 1) / (len(ticks) - 1)): label for n, label in enumerate(labels)
    }
    curve = braille_plot.curve(points, left, right, ticks[-1], (columns, rows))
    lines = [
        Content.assemble(
            (f"{row_labels.get(row, ''):>{gutter}}{'┤' if row in row_labels else '│'}", AXIS),
            (cells, "$primary"),
        )
        for row, cells in enumerate(curve)
    ]
    axis = f"{'':>{gutter}}└{'─' * columns}"
    below = " " * (gutter + 1) + x_labels(columns)
    return [*lines, *(Content.styled(end, AXIS) for end in (axis, below))]
