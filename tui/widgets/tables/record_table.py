from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.formatting import text
from tui.widgets.tables.table import Column, Table


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record of the input; `models` captioned it lately, where that is known."""

    shard: int
    i: int
    image: str
    original: str
    created: float | None = None
    models: int = 0


class RecordTable(Table[RecordRow]):
    """Records: those captioned lately, or all of a shard."""

    def __init__(self, flagged: Callable[[RecordRow], bool], id: str | None = None) -> None:
        super().__init__(
            (
                Column("Time", 8, lambda row: text.clock(row.created)),
                Column("Record", 11, lambda row: f"{row.shard:05}/{row.i}"),
                Column("Flag", 4, lambda row: "flag" if flagged(row) else ""),
                Column("Image", 26, lambda row: row.image),
                Column("Original caption", 0, lambda row: row.original),
            ),
            id=id,
        )

    def key(self, row: RecordRow) -> object:
        return row.shard, row.i
