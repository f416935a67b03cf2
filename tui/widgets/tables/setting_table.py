"""The table of the Settings dialog."""

from __future__ import annotations

from tui.viewmodel.settings import SettingRow
from tui.widgets.tables.sortable_table import SortableTable
from tui.widgets.tables.table import Cell, Column


class SettingTable(SortableTable[SettingRow]):
    """One row a setting: what it belongs to, its name and its value."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(
            (
                Column("Of", 15, lambda row: row.section, optional=True),
                Column("Setting", 18, lambda row: row.name),
                Column("Value", 0, value_cell, least=14),
            ),
            id=id,
        )

    def row_key(self, row: SettingRow) -> object:
        return row.section, row.name


def value_cell(row: SettingRow) -> Cell:
    """Return the value, in another colour if it is not the default."""
    return row.value, "muted" if row.is_default else "busy"
