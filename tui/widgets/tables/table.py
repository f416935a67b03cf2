"""A table that draws the rows on screen and holds only those around them.

Textual's DataTable measures every cell: 2 s for 10,000 rows, and 0.1 to 0.3 s for each new page of
200 rows, which is felt while a key is held. Here a page costs a query in a thread and a repaint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.formatting import text
from tui.widgets.scroll_keys import movement_bindings

Row = TypeVar("Row")
Cell = str | tuple[str, str]
"""The text of a cell, alone or with the component class that colours it (`good`, `bad`, ...)."""

ENOUGH = 64
"""Cells that suffice for the column with the width 0: more are shared with columns that grow."""
GUTTER = 2
"""Cells in front of the first column, for the signs of the cursor and of a mark."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column; `width` is in cells, and 0 takes what the others leave."""

    title: str
    width: int
    cell: Callable[[Row], Cell]
    _: KW_ONLY
    align_right: bool = False
    optional: bool = False
    """True if a narrow table leaves it out, the last one first."""
    grows: bool = False
    """True if a wide table gives the column half of what the one with the width 0 does not need."""
    least: int = 1
    """The cells of a column with the width 0 for which a narrow table leaves optional ones out."""


class VirtualTable(ScrollView, Generic[Row], can_focus=True):
    """A table with a cursor (`>`) and marked rows (`*`), of which a part of the rows is loaded.

    Subclasses say in `row_key` what identifies a row.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--heading",
        "table--cursor",
        "table--marked",
        "table--good",
        "table--bad",
        "table--warn",
        "table--busy",
        "table--muted",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *movement_bindings("table"),
        Binding(
            "enter", "open", "Open", show=False, tooltip="Open the row's details", id="table.open"
        ),
    ]

    cursor = reactive(0, repaint=True, init=False)
    """The index of the row under the cursor."""
    total = reactive(0, repaint=True, init=False)
    """The number of rows, loaded or not."""

    @dataclass
    class Moved(Message):
        """The cursor moved to another row, or its row or the marks changed."""

        table: VirtualTable[Any]

        @property
        def control(self) -> VirtualTable[Any]:
            return self.table

    @dataclass
    class Opened(Message):
        """The user asked for the details of the row under the cursor."""

        table: VirtualTable[Any]

        @property
        def control(self) -> VirtualTable[Any]:
            return self.table

    @dataclass
    class HeadingClicked(Message):
        """The title of a column was clicked."""

        table: VirtualTable[Any]
        title: str

        @property
        def control(self) -> VirtualTable[Any]:
            return self.table

    @dataclass
    class Scrolled(Message):
        """Other rows came on screen."""

        table: VirtualTable[Any]

    def __init__(self, columns: Sequence[Column[Row]], id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.rows: Sequence[Row] = ()
        """The rows that are loaded."""
        self.first_loaded = 0
        """The index of the first loaded row."""
        self.marked: set[object] = set()
        """The keys of the marked rows."""
        self.sorted_by = ""
        """The title of the column that the rows are sorted by."""

    def row_key(self, row: Row) -> object:
        """Return what identifies a row, whatever its index is."""
        raise NotImplementedError

    # Rows

    def row(self, index: int) -> Row | None:
        """Return a row by its index, None if it is not loaded."""
        i = index - self.first_loaded
        return self.rows[i] if 0 <= i < len(self.rows) else None

    @property
    def current(self) -> Row | None:
        """The row under the cursor; None if it is not loaded or there is none."""
        return self.row(self.cursor)

    def set_rows(self, rows: Sequence[Row], first: int, total: int, follow: bool = True) -> None:
        """Show other rows, the first of which has the index `first` of `total`.

        With `follow` the cursor and the screen move with the row under the cursor, if it is there.
        """
        current = self.current
        key = self.row_key(current) if current is not None and follow else None
        self.rows, self.first_loaded = rows, first
        self.total = total
        index = next((i for i, row in enumerate(rows, first) if self.row_key(row) == key), None)
        shift = 0 if index is None or key is None else index - self.cursor
        self.set_reactive(VirtualTable.cursor, max(0, min(self.cursor + shift, total - 1)))
        if shift:
            self.scroll_to(y=self.scroll_offset.y + shift, animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Moved(self))

    def visible_rows(self) -> tuple[int, int]:
        """Return the index of the first row on screen, and the index after the last."""
        first = self.scroll_offset.y
        return first, min(self.total, first + self.page_size)

    @property
    def page_size(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def watch_total(self) -> None:
        self.virtual_size = Size(0, self.total + 1)

    def watch_cursor(self) -> None:
        first = self.scroll_offset.y
        if self.cursor < first:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= first + self.page_size:
            self.scroll_to(y=self.cursor - self.page_size + 1, animate=False, immediate=True)
        self.post_message(self.Moved(self))

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self.post_message(self.Scrolled(self))

    def on_resize(self) -> None:
        self.refresh()
        self.post_message(self.Scrolled(self))

    # Keys and mouse

    def action_move(self, by: int) -> None:
        self.cursor = max(0, min(self.cursor + by, self.total - 1))

    def action_page(self, by: int) -> None:
        self.action_move(by * self.page_size)

    def action_jump(self, end: bool) -> None:
        self.cursor = max(0, self.total - 1) if end else 0

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Opened(self))

    def on_click(self, event: Click) -> None:
        click_offset = event.get_content_offset(self)
        if click_offset is None:
            return
        if click_offset.y == 0:
            title = self.title_at(click_offset.x)
            if title is not None:
                self.post_message(self.HeadingClicked(self, title))
            return
        index = self.scroll_offset.y + click_offset.y - 1
        if index < self.total:
            self.cursor = index
            if event.chain == 2:
                self.action_open()

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y == 0:
            return Strip(self.heading_segments(width), width)
        index = self.scroll_offset.y + y - 1
        if index >= self.total:
            return Strip.blank(width, self.rich_style)
        return Strip(self.row_segments(index, width), width)

    def heading_segments(self, width: int) -> list[Segment]:
        """Return the line of column titles."""
        style = self.get_component_rich_style("table--heading")
        segments = [Segment(" " * GUTTER, style)]
        for column, cells in self.layout_columns(width):
            chosen = style + Style(reverse=True) if column.title == self.sorted_by else style
            segments.append(Segment(text.fit(column.title, cells, column.align_right), chosen))
            segments.append(Segment(" ", style))
        return segments

    def row_segments(self, index: int, width: int) -> list[Segment]:
        """Return the line of a row; ` ...` if the row is not loaded."""
        row = self.row(index)
        is_cursor = index == self.cursor
        marked = row is not None and self.row_key(row) in self.marked
        style = self.rich_style
        if marked:
            style = self.get_component_rich_style("table--marked")
        if is_cursor:
            style = self.get_component_rich_style("table--cursor")
        segments = [Segment((">" if is_cursor else " ") + ("*" if marked else " "), style)]
        if row is None:
            return [*segments, Segment(text.fit(" ...", width - GUTTER), style)]
        for column, cells in self.layout_columns(width):
            cell = column.cell(row)
            cell_text, component = cell if isinstance(cell, tuple) else (cell, "")
            cell_style = style
            if component and not is_cursor:
                colour = self.get_component_rich_style(f"table--{component}", partial=True).color
                cell_style = style + Style(color=colour)
            segments.append(Segment(text.fit(cell_text, cells, column.align_right), cell_style))
            segments.append(Segment(" ", style))
        return segments

    def title_at(self, x: int) -> str | None:
        """Return the title of the column that the cell `x` of the heading belongs to, if any."""
        right = GUTTER
        if x < right:
            return None
        for column, cells in self.layout_columns(self.scrollable_content_region.width):
            right += cells + 1
            if x < right:
                return column.title
        return None

    def layout_columns(self, width: int) -> list[tuple[Column[Row], int]]:
        """Return the columns that a table of `width` cells has room for, and the cells of each."""
        columns = list(self.columns)
        least = max((column.least for column in columns if not column.width), default=0)
        while (room := width - fixed_cells(columns)) < least:
            optional = [column for column in columns if column.optional]
            if not optional:
                break
            columns.remove(optional[-1])
        growth = max(0, room - ENOUGH) // 2 if any(column.grows for column in columns) else 0
        last = max(1, room - growth)
        return [(it, it.width + growth * it.grows if it.width else last) for it in columns]


def fixed_cells(columns: Sequence[Column[Any]]) -> int:
    """Return the cells that columns take beside those with the width 0."""
    return sum(column.width for column in columns) + len(columns) + GUTTER
