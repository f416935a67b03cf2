"""Tables of caption statistics in plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.operations.caption_stats import ModelStats

STATS_COLUMNS = {
    "captions": "captions",
    "tokens_per_caption": "tokens",
    "raw_words_per_caption": "raw words",
    "sheared_words_per_caption": "kept words",
    "share_cut": "cut",
    "empty": "empty",
    "unfinished": "unfinished",
    "repeated": "repeated",
    "shared": "shared",
    "refusals": "refusals",
    "leaks": "leaks",
    "failed": "failed",
}
"""The heading of each statistic, by its key in `ModelStats.as_dict`."""


def stats_lines(stats: Sequence[ModelStats]) -> Iterator[str]:
    """Yield a table with a row a model."""
    yield from aligned(stats_rows(stats))
    yield from notes(stats)


def transposed_stats_lines(stats: Sequence[ModelStats]) -> Iterator[str]:
    """Yield a table with a column a model, which fits on a narrow screen."""
    yield from aligned(list(zip(*stats_rows(stats), strict=True)))
    yield from notes(stats)


def notes(stats: Sequence[ModelStats]) -> Iterator[str]:
    """Yield what a person must know to read the table."""
    if any(model.counts.imported for model in stats):
        yield "tokens: without imported captions, whose tokens nobody counted"
    if any(model.counts.empty for model in stats):
        yield "empty: sheared to nothing; 'quality' also counts captions without a letter or digit"


def stats_rows(stats: Sequence[ModelStats]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [["model", *STATS_COLUMNS.values()]]
    for model in stats:
        values = model.as_dict()
        values["share_cut"] = f"{values['share_cut']:.0%}"
        rows.append([model.model, *(cell(values[name]) for name in STATS_COLUMNS)])
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows as lines: the first column aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        right = "  ".join(text.rjust(width) for text, width in zip(cells, widths[1:], strict=True))
        yield f"{name.ljust(widths[0])}  {right}"


def cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
