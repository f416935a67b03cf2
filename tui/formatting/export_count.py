"""What stays of the captions of a project, as the first pass of an export has counted it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.quality.quality_filter import UNSCORED
from engine.utils.plurals import plural

if TYPE_CHECKING:
    from engine.datasets.exports.first_pass import FirstPass


def count_line(first_pass: FirstPass) -> str:
    """Return in one line what stays of all columns, and why the rest is left out."""
    counts = first_pass.counts
    captions = sum(column.captions for column in first_pass.columns)
    reasons = [f"{number:,} {reason}" for reason, number in counts.left_out_by_reason().items()]
    left_out = f"; left out: {', '.join(reasons)}" if reasons else ""
    images = plural(counts.images, "image")
    return f"{counts.captions:,} of {plural(captions, 'caption')} stay, of {images}{left_out}"


def count_lines(first_pass: FirstPass) -> Iterator[str]:
    """Yield what stays of each column, why the rest is left out, and what can be done about it;
    last the line that adds up."""
    for column in first_pass.columns:
        reasons = [f"{captions:,} {reason}" for reason, captions in column.left_out.items()]
        left_out = f"; left out: {', '.join(reasons)}" if reasons else ""
        captions = plural(column.captions, "caption")
        yield f"{column.name}: {column.stay:,} of {captions} stay{left_out}"
    if unscored := first_pass.counts.left_out_by_reason().get(UNSCORED, 0):
        yield f"'mllmaug-tui run' scores the {plural(unscored, 'caption')} not scored yet"
    yield f"to be written, if format and --text take it: {first_pass.counts.sum_line()}"
