from __future__ import annotations

from typing import TYPE_CHECKING

from tui import text
from tui.hints import hint_for
from tui.widgets.table import Cell, Column, Table

if TYPE_CHECKING:
    from db.failures import Cause


class CauseTable(Table["Cause"]):
    """What went wrong, and what to do about it."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(
            (
                Column("Cause", 0, lambda cause: cause.kind),
                Column("Of", 6, scope),
                Column("Count", 9, lambda cause: text.number(cause.count), right=True),
                Column("Shards", 7, lambda cause: text.number(cause.shards), right=True),
                Column("Retry", 5, lambda cause: "yes" if hint_for(cause).retry else "no"),
                Column("Hint", 17, lambda cause: hint_for(cause).short),
            ),
            id=id,
        )

    def key(self, row: Cause) -> object:
        return row.scope, row.kind


def scope(cause: Cause) -> Cell:
    return cause.scope, "bad" if cause.scope == "shard" else ""
