"""The verdicts of filters by quality on the captions of a shard, and what follows from them.

Light to import, without numpy: other processes start with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.shard_captions import CaptionColumn

if TYPE_CHECKING:
    from engine.quality.judgement import ColumnFacts


class ShardVerdicts(NamedTuple):
    """Which captions of a shard stay, and why the others are left out."""

    names: Sequence[str]
    """The names of the columns, the original first if it is exported."""
    columns: Sequence[bytes]
    """A byte for each record of each column: `STAYS`, `ABSENT`, or the place of a reason, counted
    from 1 (`engine.quality.judgement`)."""
    reasons: Sequence[str]
    facts: Sequence[ColumnFacts] | None = None
    """What is known of each column, where it is written beside the captions."""


def drop_left_out(
    verdicts: ShardVerdicts, columns: Sequence[CaptionColumn], counts: ExportCounts
) -> None:
    """Take the captions that are left out from the columns, and count them.

    A caption that was not there when the verdicts were found counts as missing.
    """
    for name, codes, column in zip(verdicts.names, verdicts.columns, columns, strict=True):
        if not column or not any(codes):
            continue
        for i, code in enumerate(codes):
            if not code or column[i] is None:
                continue
            column[i] = None
            if code <= len(verdicts.reasons):
                counts.left_out[name, verdicts.reasons[code - 1]] += 1
            else:
                counts.missing += 1
