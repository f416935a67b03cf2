"""The table of failure causes on the Failures screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.formatting import text
from tui.viewmodel.failed_count import failed_number, failed_word
from tui.viewmodel.failure_hints import hint_for
from tui.widgets.tables.sortable_table import SortableTable
from tui.widgets.tables.table import Cell, Column

if TYPE_CHECKING:
    from db.failures import Cause, Grouping


class CauseTable(SortableTable["Cause"]):
    """One row per cause of failures, or per cause and model or shard, with what to do about it."""

    def __init__(self, model_name: Callable[[int], str], id: str | None = None) -> None:
        self.cause_columns: tuple[Column[Cause], ...] = (
            Column("Cause", 0, lambda cause: cause.kind, least=12),
            Column("Of", 7, scope_cell),
            Column("Count", 9, failed_number, align_right=True),
            Column("Shards", 7, shards_cell, align_right=True, optional=True),
            Column("Retry", 5, retry_cell, optional=True),
            Column("Hint", 17, lambda cause: hint_for(cause).short, optional=True),
        )
        self.group_columns: dict[Grouping, tuple[Column[Cause], ...]] = {
            "cause": (),
            "model": (Column("Model", 10, lambda cause: model_name(cause.model_id or 0)),),
            "shard": (Column("Shard", 6, lambda cause: f"{cause.shard or 0:05}"),),
        }
        super().__init__(self.cause_columns, id=id)

    def group_by(self, grouping: Grouping) -> None:
        """Show the columns of rows that are grouped in this way."""
        self.columns = (*self.group_columns[grouping], *self.cause_columns)

    def row_key(self, row: Cause) -> object:
        return row.group


def scope_cell(cause: Cause) -> Cell:
    return failed_word(cause), "bad" if cause.scope == "shard" else ""


def shards_cell(cause: Cause) -> str:
    return text.number(cause.shards)


def retry_cell(cause: Cause) -> str:
    return "yes" if hint_for(cause).can_retry else "no"
