"""Scores in text."""

from __future__ import annotations

SMALL = 0.001
"""Below it three decimals would show one digit of a score, or none."""


def score_text(value: float) -> str:
    """Return a score with three decimals, or with two significant digits if it is smaller."""
    return f"{value:.3f}" if not value or abs(value) >= SMALL else f"{value:.1e}"
