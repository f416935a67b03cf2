"""A table whose rows are all loaded, and are sorted by a click on a column's title."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from textual import on

from tui.widgets.tables.table import Cell, VirtualTable

Row = TypeVar("Row")
DIGITS = re.compile(r"(\d+)")


class SortableTable(VirtualTable[Row]):
    """A click sorts ascending, the next one descending, the third as the rows came."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows_as_given: Sequence[Row] = ()
        self.descending = False

    def set_rows(self, rows: Sequence[Row], first: int, total: int, follow: bool = True) -> None:
        self.rows_as_given = rows
        super().set_rows(self.in_order(rows), first, total, follow)

    def in_order(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the rows sorted by the chosen column; as they are if none is chosen."""
        column = next((column for column in self.columns if column.title == self.sorted_by), None)
        if column is None:
            return rows
        return sorted(rows, key=lambda row: sort_key(column.cell(row)), reverse=self.descending)

    @on(VirtualTable.HeadingClicked)
    def sort_by(self, event: VirtualTable.HeadingClicked) -> None:
        if event.title != self.sorted_by:
            self.sorted_by, self.descending = event.title, False
        elif not self.descending:
            self.descending = True
        else:
            self.sorted_by, self.descending = "", False
        self.set_rows(self.rows_as_given, 0, self.total)


def sort_key(cell: Cell) -> tuple[float, list[Any]]:
    """Return what a cell is sorted by: numbers before texts, and digits in texts as numbers."""
    shown = cell if isinstance(cell, str) else cell[0]
    try:
        return float(shown.replace(",", "").removesuffix("%")), []
    except ValueError:
        parts = DIGITS.split(shown.lower())
        return float("inf"), [int(it) if it.isdecimal() else it for it in parts]
