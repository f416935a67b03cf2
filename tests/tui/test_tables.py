"""Tables in narrow terminals, and rows that a click on a title sorts."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from tui.widgets.tables.record_table import RecordTable
from tui.widgets.tables.setting_table import SettingTable
from tui.widgets.tables.shard_table import ShardTable
from tui.widgets.tables.sortable_table import SortableTable, sort_key
from tui.widgets.tables.table import Column

pytestmark = pytest.mark.asyncio


class Rows(SortableTable[tuple[str, str]]):
    def row_key(self, row: tuple[str, str]) -> object:
        return row


class TableApp(App[None]):
    def __init__(self, table: Rows) -> None:
        super().__init__()
        self.table = table

    def compose(self) -> ComposeResult:
        yield self.table


async def test_a_narrow_table_leaves_columns_out() -> None:
    table = ShardTable(lambda _: "otter")

    def titles(width: int) -> list[str]:
        laid_out = table.layout_columns(width)
        assert sum(cells + 1 for _, cells in laid_out) + 2 <= width
        return [column.title for column, _ in laid_out]

    assert titles(120)[-4:] == ["Prio", "Tries", "Updated", "Error"]
    assert titles(56) == ["Shard", "Model", "State", "Captioned", "Failed", "Error"]
    assert [cells for _, cells in SettingTable().layout_columns(56)] == [15, 18, 18]


async def test_the_path_of_an_image_gets_a_share_of_a_wide_table() -> None:
    table = RecordTable(lambda row: "flag bad")

    def cells(width: int) -> dict[str, int]:
        laid_out = table.layout_columns(width)
        assert sum(cells + 1 for _, cells in laid_out) + 2 <= width
        return {column.title: cells for column, cells in laid_out}

    assert cells(196)["Image"] >= 60
    assert cells(196)["Original caption"] > cells(116)["Original caption"]
    assert cells(116)["Image"] == cells(76)["Image"]
    assert cells(76)["Flag"] >= len("flag good")


async def test_a_click_on_a_title_sorts() -> None:
    rows = [("b", "9"), ("a", "1,000"), ("c", "30")]
    table = Rows((Column("Name", 4, lambda row: row[0]), Column("Count", 0, lambda row: row[1])))
    orders = []
    async with TableApp(table).run_test() as pilot:
        table.set_rows(rows, 0, 3)
        for x in (9, 9, 9, 3):
            await pilot.click(Rows, offset=(x, 0))
            orders.append("".join(name for name, _ in table.rows))
        assert orders == ["bca", "acb", "bac", "abc"]
        table.set_rows([*rows, ("B", "2")], 0, 4)
        assert "".join(name for name, _ in table.rows) == "abBc", "later rows are sorted, too"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        *(("9", "10"), ("1,000", "2,000"), ("9.5%", "12.3%"), ("0.123", "0.2"), ("3", "none")),
        *(("00002/7", "00002/10"), ("a2", "a10"), ("A", "b"), ("", "a")),
    ],
)
async def test_the_order_of_cells(first: str, then: str) -> None:
    assert sort_key(first) < sort_key((then, "good"))
