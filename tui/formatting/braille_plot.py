"""Curves drawn in braille dots, as text: a hundred times cheaper than a plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]
"""x and y. A curve's points are in the order of x."""

DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of a braille character's dots: left and right column, each from the bottom up."""


def curve(points: Sequence[Point], left: float, right: float, top: float, size: Point) -> list[str]:
    """Return lines of text, the uppermost first, with the points joined by straight lines.

    The picture spans `left` to `right` and 0 to `top`; `size` is its width and height in cells.
    Left of the first point and right of the last there is nothing.
    """
    width, height = int(size[0]), int(size[1])
    cells = [[0] * width for _ in range(height)]
    previous_y: int | None = None
    for column in range(2 * width):
        x = left + (column + 0.5) / (2 * width) * (right - left)
        value = interpolate(points, x)
        if value is None:
            previous_y = None
            continue
        y = min(4 * height - 1, max(0, round(value / top * (4 * height - 1))))
        low, high = (y, y) if previous_y is None else sorted((y, previous_y))
        for dot in range(low if low == high or y == low else low + 1, high + 1):
            cells[dot // 4][column // 2] |= DOTS[column % 2][dot % 4]
        previous_y = y
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells[::-1]]


def interpolate(points: Sequence[Point], x: float) -> float | None:
    """Return y on the straight line between the two points around `x`; None outside all points."""
    if not points or not points[0][0] <= x <= points[-1][0]:
        return None
    low, high = 0, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if points[middle][0] <= x else (low, middle)
    (x0, y0), (x1, y1) = points[low], points[high]
    return y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def scale(highest: float, steps: int = 3) -> list[float]:
    """Return evenly spaced round values from 0 up to one that is not below `highest`."""
    rough = max(highest, 1e-9) / steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [step * n for n in range(math.ceil(highest / step - 1e-9) + 1)] if highest else [0, 1]


def labels(values: Sequence[float]) -> list[str]:
    """Return the values as text, all with as few decimals as show each one exactly."""
    for decimals in range(6):
        if all(math.isclose(round(v, decimals), v, abs_tol=1e-9) for v in values):
            return [f"{value:,.{decimals}f}" for value in values]
    return [f"{value:g}" for value in values]
