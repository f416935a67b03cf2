"""The table of records on the Samples screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.formatting import text
from tui.widgets.tables.table import Column, VirtualTable


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A record of the input, with its index `i` in its shard."""

    shard: int
    i: int
    image: str
    original: str
    created: float | None = None
    """When its newest caption was sampled, in seconds since the epoch; None if not known."""


class RecordTable(VirtualTable[RecordRow]):
    """One row per record: those captioned lately, or all records of a shard."""

    def __init__(self, is_flagged: Callable[[RecordRow], bool], id: str | None = None) -> None:
        super().__init__(
            (
                Column("Time", 8, lambda row: text.clock(row.created)),
                Column("Record", 11, lambda row: f"{row.shard:05}/{row.i}"),
                Column("Flag", 4, lambda row: "flag" if is_flagged(row) else ""),
                Column("Image", 26, lambda row: row.image),
                Column("Original caption", 0, lambda row: row.original),
            ),
            id=id,
        )

    def row_key(self, row: RecordRow) -> object:
        return row.shard, row.i
