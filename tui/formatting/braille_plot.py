"""Curves in braille dots, drawn as text: a hundred times cheaper than a plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]

DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Bits of a braille character: left and right column, each from the bottom up."""


def curve(points: Sequence[Point], left: float, right: float, top: float, size: Point) -> list[str]:
    """Lines of text, the uppermost first; points are joined, and there is nothing outside them."""
    width, height = int(size[0]), int(size[1])
    cells = [[0] * width for _ in range(height)]
    before: int | None = None
    for column in range(2 * width):
        at = left + (column + 0.5) / (2 * width) * (right - left)
        value = between(points, at)
        if value is None:
            before = None
            continue
        y = min(4 * height - 1, max(0, round(value / top * (4 * height - 1))))
        low, high = (y, y) if before is None else sorted((y, before))
        for dot in range(low if low == high or y == low else low + 1, high + 1):
            cells[dot // 4][column // 2] |= DOTS[column % 2][dot % 4]
        before = y
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells[::-1]]


def between(points: Sequence[Point], at: float) -> float | None:
    """The value on the straight line between two neighbours; None outside of all points."""
    if not points or not points[0][0] <= at <= points[-1][0]:
        return None
    low, high = 0, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if points[middle][0] <= at else (low, middle)
    (x0, y0), (x1, y1) = points[low], points[high]
    return y0 if x1 == x0 else y0 + (y1 - y0) * (at - x0) / (x1 - x0)


def scale(highest: float, steps: int = 3) -> list[float]:
    """Round values from 0 up to one that is not below `highest`."""
    rough = max(highest, 1e-9) / steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [step * n for n in range(math.ceil(highest / step - 1e-9) + 1)] if highest else [0, 1]


def labels(values: Sequence[float]) -> list[str]:
    """With as many decimals as tell them apart."""
    for decimals in range(6):
        if all(math.isclose(round(v, decimals), v, abs_tol=1e-9) for v in values):
            return [f"{value:,.{decimals}f}" for value in values]
    return [f"{value:g}" for value in values]
