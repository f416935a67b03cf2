from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.formatting import text
from tui.viewmodel.failure_hints import hint_for
from tui.widgets.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from db.failures import Cause, Grouping


class CauseTable(Table["Cause"]):
    """What went wrong, and what to do about it; in all, model by model or shard by shard."""

    def __init__(self, model_name: Callable[[int], str], id: str | None = None) -> None:
        self.by_cause: tuple[Column[Cause], ...] = (
            Column("Cause", 0, lambda cause: cause.kind),
            Column("Of", 6, scope),
            Column("Count", 9, lambda cause: text.number(cause.count), right=True),
            Column("Shards", 7, lambda cause: text.number(cause.shards), right=True),
            Column("Retry", 5, lambda cause: "yes" if hint_for(cause).retry else "no"),
            Column("Hint", 17, lambda cause: hint_for(cause).short),
        )
        self.first: dict[Grouping, tuple[Column[Cause], ...]] = {
            "cause": (),
            "model": (Column("Model", 10, lambda cause: model_name(cause.model_id or 0)),),
            "shard": (Column("Shard", 6, lambda cause: f"{cause.shard or 0:05}"),),
        }
        super().__init__(self.by_cause, id=id)

    def group_by(self, by: Grouping) -> None:
        self.columns = (*self.first[by], *self.by_cause)

    def key(self, row: Cause) -> object:
        return row.group


def scope(cause: Cause) -> Cell:
    return cause.scope, "bad" if cause.scope == "shard" else ""
