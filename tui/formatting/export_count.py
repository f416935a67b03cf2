"""What stays of the captions of a project, as the first pass of an export has counted it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.utils.plurals import plural

if TYPE_CHECKING:
    from engine.datasets.exports.first_pass import FirstPass


def count_lines(first_pass: FirstPass) -> Iterator[str]:
    """Yield what stays of each column, and why the rest is left out; last the line that adds up."""
    for column in first_pass.columns:
        reasons = [f"{captions:,} {reason}" for reason, captions in column.left_out.items()]
        left_out = f"; left out: {', '.join(reasons)}" if reasons else ""
        captions = plural(column.captions, "caption")
        yield f"{column.name}: {column.stay:,} of {captions} stay{left_out}"
    yield f"would be written: {first_pass.counts.sum_line()}"
