"""The table with which a pilot ends: a line a model with what counts, for 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tui.formatting import text

if TYPE_CHECKING:
    from engine.operations.pilot_table import PilotLine

HEADINGS = ("cut", "loop", "dup", "ref", "agree", "img/s", "mem", "load", "all")
"""The columns between the model's name and its state."""
WIDTHS = (4, 4, 4, 4, 5, 5, 5, 5, 6)
"""The cells of each of these columns."""
GOOD_WIDTH = 5
"""The cells of the column of ratings, which is there once a caption is rated."""
NAME_WIDTH = 13
"""Cells of a model's name at most."""
LEGEND = (
    "cut: by the token cap; ref: refusals; agree: with other models; mem: GiB; all: every record,"
    " with loading"
)
"""What the columns mean, for people."""
GIB = 2**30


def table_lines(lines: Sequence[PilotLine], states: Mapping[str, str]) -> list[str]:
    """Return a heading and a line a model; `states` has what each is doing, by its name."""
    width = min(NAME_WIDTH, max([len("model"), *(len(text.visible(it.name)) for it in lines)]))
    rated = any(line.rated for line in lines)
    widths = (*WIDTHS, *[GOOD_WIDTH] * rated)
    rows: list[tuple[str, Sequence[str], str]] = [("model", (*HEADINGS, "good"), "state")]
    rows += [(line.name, cells(line), states.get(line.name, "")) for line in lines]
    return [
        " ".join(
            (
                text.fit(name, width),
                *(text.fit(*it, right=True) for it in zip(columns, widths, strict=False)),
                text.visible(state),
            )
        )
        for name, columns, state in rows
    ]


def cells(line: PilotLine) -> tuple[str, ...]:
    counts = (line.truncated, line.loops, line.duplicates, line.refusals)
    return (
        *(text.percent(it / line.captions) if line.captions else "-" for it in counts),
        "-" if line.agreement is None else f"{line.agreement:.2f}",
        "-" if line.images_per_second is None else text.rate(line.images_per_second),
        "-" if line.memory is None else f"{line.memory / GIB:.1f}",
        text.duration(line.load_seconds),
        text.duration(line.seconds),
        f"{line.good}/{line.rated}" if line.rated else "-",
    )
