"""A table that draws the rows on screen and holds only those around them.

Textual's DataTable measures every cell: 2 s for 10,000 rows, 0.1-0.3 s to swap in a page of 200,
which is felt on each page while a key is held. Here a page costs a query in a thread and a repaint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from tui.widgets.scroll_keys import moving

Row = TypeVar("Row")
Cell = str | tuple[str, str]
"""Text, or text with the name of a component class (`good`, `bad`, ...)."""

GUTTER = 2


@dataclass(frozen=True)
class Column(Generic[Row]):
    """`width` 0 takes what the others leave."""

    title: str
    width: int
    cell: Callable[[Row], Cell]
    right: bool = False


class Table(ScrollView, Generic[Row], can_focus=True):
    """`>` is the cursor, `*` a marked row. Subclasses say what identifies a row."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--heading",
        "table--cursor",
        "table--marked",
        "table--good",
        "table--bad",
        "table--busy",
        "table--muted",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *moving("table"),
        Binding(
            "enter", "open", "Open", show=False, tooltip="Open the row's details", id="table.open"
        ),
    ]

    cursor = reactive(0, repaint=True, init=False)
    total = reactive(0, repaint=True, init=False)

    @dataclass
    class Moved(Message):
        """The cursor stands on another row, or the same row changed."""

        table: Table[Any]

        @property
        def control(self) -> Table[Any]:
            return self.table

    @dataclass
    class Opened(Message):
        table: Table[Any]

        @property
        def control(self) -> Table[Any]:
            return self.table

    @dataclass
    class Scrolled(Message):
        """Other rows are on screen."""

        table: Table[Any]

    def __init__(self, columns: Sequence[Column[Row]], id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.rows: Sequence[Row] = ()
        self.offset_of_rows = 0
        self.marked: set[object] = set()
        self.sorted_by = ""

    def key(self, row: Row) -> object:
        raise NotImplementedError

    # Rows

    def row(self, index: int) -> Row | None:
        place = index - self.offset_of_rows
        return self.rows[place] if 0 <= place < len(self.rows) else None

    @property
    def current(self) -> Row | None:
        return self.row(self.cursor)

    def set_rows(self, rows: Sequence[Row], offset: int, total: int, follow: bool = True) -> None:
        """With `follow` the cursor stays on its row, at its place on the screen, where it can."""
        current = self.current
        wanted = self.key(current) if current is not None and follow else None
        self.rows, self.offset_of_rows = rows, offset
        self.total = total
        found = next((i for i, row in enumerate(rows, offset) if self.key(row) == wanted), None)
        shift = 0 if found is None or wanted is None else found - self.cursor
        self.set_reactive(Table.cursor, max(0, min(self.cursor + shift, total - 1)))
        if shift:
            self.scroll_to(y=self.scroll_offset.y + shift, animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Moved(self))

    def visible_rows(self) -> tuple[int, int]:
        """The first on screen and the one after the last."""
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
        place = event.get_content_offset(self)
        if place is None or place.y < 1:
            return
        index = self.scroll_offset.y + place.y - 1
        if index < self.total:
            self.cursor = index
            if event.chain == 2:
                self.action_open()

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if y == 0:
            return Strip(self.heading(width), width)
        index = self.scroll_offset.y + y - 1
        if index >= self.total:
            return Strip.blank(width, self.rich_style)
        return Strip(self.line(index, width), width)

    def heading(self, width: int) -> list[Segment]:
        style = self.get_component_rich_style("table--heading")
        segments = [Segment(" " * GUTTER, style)]
        for column, cells in zip(self.columns, self.widths(width), strict=True):
            chosen = style + Style(reverse=True) if column.title == self.sorted_by else style
            segments.append(Segment(text.fit(column.title, cells, column.right), chosen))
            segments.append(Segment(" ", style))
        return segments

    def line(self, index: int, width: int) -> list[Segment]:
        row = self.row(index)
        here = index == self.cursor
        marked = row is not None and self.key(row) in self.marked
        style = self.rich_style
        if marked:
            style = self.get_component_rich_style("table--marked")
        if here:
            style = self.get_component_rich_style("table--cursor")
        segments = [Segment((">" if here else " ") + ("*" if marked else " "), style)]
        if row is None:
            return [*segments, Segment(text.fit(" ...", width - GUTTER), style)]
        for column, cells in zip(self.columns, self.widths(width), strict=True):
            cell = column.cell(row)
            said, name = cell if isinstance(cell, tuple) else (cell, "")
            own = style
            if name and not here:
                colour = self.get_component_rich_style(f"table--{name}", partial=True).color
                own = style + Style(color=colour)
            segments.append(Segment(text.fit(said, cells, column.right), own))
            segments.append(Segment(" ", style))
        return segments

    def widths(self, width: int) -> list[int]:
        fixed = sum(column.width for column in self.columns) + len(self.columns) + GUTTER
        return [column.width or max(1, width - fixed) for column in self.columns]
