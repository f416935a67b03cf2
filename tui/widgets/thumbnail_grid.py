"""The grid of the Samples screen: many records as small pictures, each with one caption."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size, Spacing
from textual.strip import Strip
from textual.widget import Widget

from engine.utils.errors import BadInput
from tui.formatting import text
from tui.threads.page_loader import PageLoader
from tui.widgets.half_blocks import HalfBlocks
from tui.widgets.picture import ImageResolver, PictureQuery, read_picture
from tui.widgets.tables.record_table import RecordRow, RecordTable

THUMBNAIL = Size(24, 7)
"""The room of a small picture, in cells."""
CAPTION_LINES = 2
"""Lines of the caption below a small picture."""
TILE = Size(THUMBNAIL.width + 2, THUMBNAIL.height + CAPTION_LINES + 1)
"""The room of a small picture with its caption and the gaps beside and below."""
CACHED_THUMBNAILS = 400
"""Small pictures that are kept: several pages of the largest screen, some 30 MB."""


@dataclass(frozen=True)
class Thumbnail:
    """A record as the grid shows it."""

    picture: HalfBlocks | None
    """None if the image cannot be drawn: then `caption` says why."""
    caption: str


class ThumbnailGrid(Widget, can_focus=True):
    """The records of a table as small pictures, around the table's cursor.

    A thread opens the pictures of the page one by one. The cursor and the marks are the table's.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--cursor", "grid--text"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "move(1)", "Right", show=False, id="grid.right"),
        Binding("left,h", "move(-1)", "Left", show=False, id="grid.left"),
        Binding("down,j", "move_lines(1)", "Down", show=False, id="grid.down"),
        Binding("up,k", "move_lines(-1)", "Up", show=False, id="grid.up"),
        Binding("pagedown,ctrl+d", "move_pages(1)", "Page down", show=False, id="grid.page_down"),
        Binding("pageup,ctrl+u", "move_pages(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("home,g", "jump(False)", "First", show=False, id="grid.first"),
        Binding("end,G", "jump(True)", "Last", show=False, id="grid.last"),
        Binding("space", "mark", "Mark", show=False, tooltip="Mark or unmark", id="grid.mark"),
    ]

    def __init__(
        self,
        table: RecordTable,
        resolve: ImageResolver,
        read_caption: Callable[[RecordRow], str],
        label_of: Callable[[RecordRow], str],
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.table = table
        self.resolve = resolve
        self.read_caption = read_caption
        """Returns the caption to show with a record. Called in a thread."""
        self.label_of = label_of
        """Returns what is shown before a caption: `flag`, `bad`, `flag bad` or nothing."""
        self.thumbnails: OrderedDict[RecordRow, Thumbnail] = OrderedDict()
        self.drawn_cursor = -1
        """The index of the record under the cursor when the page was drawn."""
        self.loader = PageLoader(self, self.read, self.loaded, self.failed)

    # The page

    @property
    def columns(self) -> int:
        return max(1, self.size.width // TILE.width)

    @property
    def lines(self) -> int:
        return max(1, self.size.height // TILE.height)

    @property
    def page(self) -> range:
        """The indices of the records on screen, whose first line moves by whole pages."""
        count = self.columns * self.lines
        first = self.table.cursor // count * count
        return range(first, min(self.table.total, first + count))

    def update(self) -> None:
        """Draw the page, and read what it lacks. Called when rows or flags change."""
        if self.display and self.size:
            self.drawn_cursor = self.table.cursor
            self.refresh()
            self.load_next()

    def cursor_moved(self) -> None:
        """Draw the captions that the cursor left and came to, or another page."""
        if self.drawn_cursor in self.page:
            left, now = map(self.tile_region, (self.drawn_cursor, self.table.cursor))
            self.refresh(*(each.shrink(Spacing(top=THUMBNAIL.height)) for each in (left, now)))
            self.drawn_cursor = self.table.cursor
        else:
            self.update()

    def tile_region(self, index: int) -> Region:
        """Return where the tile of a record of the page is, in cells of the widget's content."""
        line, column = divmod(index - self.page.start, self.columns)
        return Region(column * TILE.width, line * TILE.height, *TILE)

    def forget(self) -> None:
        """Read all pictures and captions again, such as those of another model."""
        self.thumbnails.clear()
        self.update()

    def on_resize(self) -> None:
        self.update()

    # Reading

    def load_next(self) -> None:
        """Read the first record of the page that was not read yet."""
        rows = map(self.table.row, self.page)
        row = next((row for row in rows if row is not None and row not in self.thumbnails), None)
        if row is not None and not self.loader.reading:
            self.loader.load(row)

    def read(self, row: RecordRow) -> Thumbnail:
        """Open the picture of a record, and read its caption. Called in a thread."""
        try:
            loaded = read_picture(PictureQuery(row.image, THUMBNAIL), self.resolve, "cells")
        except BadInput as error:
            return Thumbnail(None, str(error))
        return Thumbnail(loaded.picture, self.read_caption(row))  # type: ignore[arg-type]

    def loaded(self, row: RecordRow, thumbnail: Thumbnail) -> None:
        self.thumbnails[row] = thumbnail
        if len(self.thumbnails) > CACHED_THUMBNAILS:
            self.thumbnails.popitem(last=False)
        index = next((i for i in self.page if self.table.row(i) == row), None)
        if index is not None:
            self.refresh(self.tile_region(index))
        self.load_next()

    def failed(self, row: RecordRow, reason: str) -> None:
        self.loaded(row, Thumbnail(None, reason))

    # Keys and mouse

    def action_move(self, by: int) -> None:
        self.table.action_move(by)

    def action_move_lines(self, by: int) -> None:
        self.table.action_move(by * self.columns)

    def action_move_pages(self, by: int) -> None:
        self.table.action_move(by * self.columns * self.lines)

    def action_jump(self, end: bool) -> None:
        self.table.action_jump(end)

    def action_mark(self) -> None:
        row = self.table.current
        if row is not None:
            self.table.marked ^= {self.table.row_key(row)}
            self.table.action_move(1)
            self.cursor_moved()

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        column, line = offset.x // TILE.width, offset.y // TILE.height
        index = self.page.start + line * self.columns + column
        if column < self.columns and index in self.page:
            self.table.cursor = index

    # Drawing

    def render_line(self, y: int) -> Strip:
        line, inner = divmod(y, TILE.height)
        start = self.page.start + line * self.columns
        tiles = (range(start, start + self.columns)) if line < self.lines else ()
        strips = [self.tile_line(index, inner) for index in tiles if index in self.page]
        return Strip.join(strips).adjust_cell_length(self.size.width, self.rich_style)

    def tile_line(self, index: int, inner: int) -> Strip:
        """Return a line of the tile of the record with this index."""
        row = self.table.row(index)
        thumbnail = self.thumbnails.get(row) if row is not None else None
        if row is None or inner == TILE.height - 1:
            return Strip.blank(TILE.width, self.rich_style)
        if inner >= THUMBNAIL.height:
            caption = "..." if thumbnail is None else thumbnail.caption
            return self.caption_line(index, row, caption, inner - THUMBNAIL.height)
        picture = thumbnail.picture if thumbnail is not None else None
        above = (THUMBNAIL.height - len(picture)) // 2 if picture else 0
        if not picture or not 0 <= inner - above < len(picture):
            return Strip.blank(TILE.width, self.rich_style)
        strip = picture[inner - above]
        left = Strip.blank((THUMBNAIL.width - strip.cell_length) // 2, self.rich_style)
        return Strip.join([left, strip]).adjust_cell_length(TILE.width, self.rich_style)

    def caption_line(self, index: int, row: RecordRow, caption: str, number: int) -> Strip:
        """Return a line below a picture: cursor, mark, flag and the beginning of the caption."""
        is_cursor = index == self.table.cursor
        marked = self.table.row_key(row) in self.table.marked
        signs = (">" if is_cursor else " ") + ("*" if marked else " ")
        label = self.label_of(row)
        lines = wrap(
            f"{signs}{label}{' ' * bool(label)}{text.visible(caption)}",
            THUMBNAIL.width,
            max_lines=CAPTION_LINES,
            placeholder="…",
            subsequent_indent="  ",
        )
        line = text.fit(lines[number] if number < len(lines) else "", THUMBNAIL.width)
        style = self.get_component_rich_style("grid--cursor" if is_cursor else "grid--text")
        gap = Segment(" " * (TILE.width - THUMBNAIL.width), self.rich_style)
        return Strip([Segment(line, style), gap], TILE.width)
