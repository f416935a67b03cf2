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

    def __init__(self, label_of: Callable[[RecordRow], str], id: str | None = None) -> None:
        self.label_of = label_of
        super().__init__(
            (
                Column("Time", 8, lambda row: text.clock(row.created), optional=True),
                Column("Record", 11, lambda row: f"{row.shard:05}/{row.i}"),
                Column("Flag", 9, label_of),
                Column("Image", 26, lambda row: row.image, grows=True),
                Column("Original caption", 0, lambda row: row.original, least=8),
            ),
            id=id,
        )

    def sort_value(self, row: RecordRow) -> tuple[object, ...]:
        """Return by what a row is sorted, for the column whose title is `sorted_by`."""
        values: dict[str, object] = {
            "Time": row.created or 0.0,
            "Flag": self.label_of(row),
            "Image": row.image,
            "Original caption": row.original.lower(),
        }
        return values.get(self.sorted_by, 0), row.shard, row.i

    def row_key(self, row: RecordRow) -> object:
        return row.shard, row.i
