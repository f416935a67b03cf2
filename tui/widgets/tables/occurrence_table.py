"""The table of the occurrences of a failure cause on the Failures screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui.formatting import text
from tui.widgets.tables.table import Column, VirtualTable

if TYPE_CHECKING:
    from db.failures import Occurrence


class OccurrenceTable(VirtualTable["Occurrence"]):
    """One row per record or task that failed for the chosen cause; rows can be marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", False, tooltip="Mark or unmark", id="failures.mark"),
    ]

    def __init__(self, model_name: Callable[[int], str], id: str | None = None) -> None:
        super().__init__(
            (
                Column("Shard", 6, lambda row: f"{row.shard:05}"),
                Column("Record", 6, record_cell, align_right=True),
                Column("Model", 10, lambda row: model_name(row.model_id)),
                Column("Updated", 8, lambda row: text.clock(row.updated)),
                Column("Detail", 0, lambda row: row.detail),
            ),
            id=id,
        )

    def row_key(self, row: Occurrence) -> object:
        return row.task_id, row.index

    def action_mark(self) -> None:
        if self.current is not None:
            self.marked ^= {self.row_key(self.current)}
            self.action_move(1)
            self.refresh()
            self.post_message(self.Moved(self))


def record_cell(row: Occurrence) -> str:
    return "-" if row.index is None else str(row.index)
