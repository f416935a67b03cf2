from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui import text
from tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from db.rows import SampleRow


class SampleTable(Table["SampleRow"]):
    """Recent captions, newest first."""

    def __init__(self, model_name: Callable[[int], str], id: str | None = None) -> None:
        super().__init__(
            (
                Column("Time", 8, lambda row: text.clock(row.created)),
                Column("Model", 12, lambda row: model_name(row.model_id)),
                Column("Record", 12, lambda row: f"{row.shard:05}/{row.i}"),
                Column("Tokens", 6, lambda row: str(row.tokens), right=True),
                Column("Sheared caption", 0, lambda row: row.sheared),
            ),
            id=id,
        )

    def key(self, row: SampleRow) -> object:
        return row.model_id, row.shard, row.i, row.created
