"""A scrollable view of log lines that draws only those on screen, and the levels of lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.formatting import text
from tui.widgets.scroll_keys import movement_bindings

LogLevel = Literal["info", "warn", "fail"]
LEVELS: tuple[LogLevel, ...] = ("info", "warn", "fail")
"""The levels, from the least to the most severe."""
FAIL = re.compile(r"\b(ERROR|CRITICAL|FATAL|FAIL|fail)\b|Traceback|\w(Error|Exception)\b")
WARN = re.compile(r"\b(WARN|WARNING|warn)\b|Warning\b")
LINES_KEPT = 20_000
"""At least this many of the newest lines can be scrolled to; up to a tenth more are held."""
SOURCE_WIDTH = len("supervisor")
"""Cells of the column that names a line's source."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log file; `source` is `supervisor` or the device of the worker that wrote it."""

    source: str
    level: LogLevel
    text: str


def level_of(line: str, previous: LogLevel) -> LogLevel:
    """Return the level of a line by the words in it.

    `previous` is the level of the line before: indented lines after a failure are its traceback.
    """
    if FAIL.search(line):
        return "fail"
    if line.startswith((" ", "\t")) and previous == "fail":
        return "fail"
    return "warn" if WARN.search(line) else "info"


class LogView(ScrollView, can_focus=True):
    """The lines of log files from a chosen level on; searches, wraps and follows the end."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--source",
        "log--warn",
        "log--fail",
        "log--found",
    }
    BINDINGS: ClassVar[list[BindingType]] = movement_bindings("log")

    follow = reactive(True, init=False)
    """True if the view scrolls to each new line."""
    wrap = reactive(False, init=False)
    """True if long lines are wrapped, False if they are cut."""
    level: reactive[LogLevel] = reactive("info", init=False)
    """The lowest level that is shown."""
    search = reactive("", init=False)
    """The text whose matches are highlighted; empty for none. Case does not matter."""

    class Changed(Message):
        """The rows, the matches or `follow` changed."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[LogLine] = []
        """The lines of every level."""
        self.rows: list[tuple[LogLine, str]] = []
        """The text of each row and the line it is of; with `wrap` a line may take several rows."""
        self.match_rows: list[int] = []
        """The indices of the rows that hold the search text."""
        self.layout_width = 0
        """The width in cells for which the rows were made."""
        self.current_match: int | None = None
        """The index of the row with the match that n and N start from; None before the first n."""

    def set_lines(self, lines: Iterable[LogLine]) -> None:
        self.lines = list(lines)[-LINES_KEPT:]
        self.lay_out()

    def add(self, lines: list[LogLine]) -> None:
        """Append lines at the end."""
        self.lines += lines
        if len(self.lines) > LINES_KEPT + LINES_KEPT // 10:
            self.lines = self.lines[-LINES_KEPT:]
            self.lay_out()
        elif lines:
            self.append_rows(lines)
            self.update_size()

    # Layout

    def lay_out(self) -> None:
        """Make all rows anew."""
        self.rows, self.match_rows, self.current_match = [], [], None
        self.append_rows(self.lines)
        self.update_size()

    def append_rows(self, lines: Iterable[LogLine]) -> None:
        """Append the rows of those lines whose level is shown."""
        lowest_level, search = LEVELS.index(self.level), self.search.lower()
        width = max(20, self.scrollable_content_region.width)
        for line in lines:
            if LEVELS.index(line.level) < lowest_level:
                continue
            whole = text.visible(line.text)
            room = width - cell_len(line_head(line))
            for part in (chop_cells(whole, room) or [""]) if self.wrap else [whole]:
                if search and search in part.lower():
                    self.match_rows.append(len(self.rows))
                self.rows.append((line, part))

    def update_size(self) -> None:
        """Take in that there are more or other rows."""
        self.virtual_size = Size(0, len(self.rows))
        if self.follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.refresh()
        self.post_message(self.Changed())

    def on_resize(self) -> None:
        width = self.scrollable_content_region.width
        if width != self.layout_width:
            self.layout_width = width
            self.lay_out()
        elif self.follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def watch_wrap(self) -> None:
        self.lay_out()

    def watch_level(self) -> None:
        self.lay_out()

    def watch_search(self) -> None:
        self.lay_out()
        if self.search and self.match_rows:
            self.next_match(-1)

    def watch_follow(self) -> None:
        if self.follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.post_message(self.Changed())

    # Keys

    def action_move(self, by: int) -> None:
        self.scroll_to_row(self.scroll_offset.y + by)

    def action_page(self, by: int) -> None:
        self.scroll_to_row(self.scroll_offset.y + by * self.scrollable_content_region.height)

    def action_jump(self, end: bool) -> None:
        self.follow = end
        if not end:
            self.scroll_to_row(0)

    def scroll_to_row(self, row: int) -> None:
        """Scroll `row` to the top. Follows new lines from then on only if that is the end."""
        last = max(0, len(self.rows) - self.scrollable_content_region.height)
        self.follow = row >= last
        self.scroll_to(y=min(max(0, row), last), animate=False, immediate=True)

    def next_match(self, by: int) -> None:
        """Go to the next match below, or above if `by` is negative; from the last to the first."""
        if not self.match_rows:
            return
        start = self.current_match if self.current_match is not None else self.scroll_offset.y
        if by > 0:
            row = next((row for row in self.match_rows if row > start), self.match_rows[0])
        elif self.current_match is None:
            row = self.match_rows[-1]
        else:
            above = (row for row in reversed(self.match_rows) if row < start)
            row = next(above, self.match_rows[-1])
        self.current_match = row
        self.scroll_to_row(row - self.scrollable_content_region.height // 2)
        self.follow = False
        self.refresh()
        self.post_message(self.Changed())

    @property
    def current(self) -> LogLine | None:
        """The line of the current match, or the last line on screen if there is none."""
        row = self.current_match
        if row is None:
            last = self.scroll_offset.y + self.scrollable_content_region.height - 1
            row = min(last, len(self.rows) - 1)
        return self.rows[row][0] if 0 <= row < len(self.rows) else None

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        row = self.scroll_offset.y + y
        if row >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        line, part = self.rows[row]
        source = line_head(line)
        style = self.rich_style
        if line.level != "info":
            style = self.get_component_rich_style(f"log--{line.level}", partial=False)
        segments = [Segment(source, self.get_component_rich_style("log--source"))]
        shown = text.fit(part, width - cell_len(source))
        segments += self.highlight_matches(shown, style, row == self.current_match)
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def highlight_matches(self, shown: str, style: Style, is_current_match: bool) -> list[Segment]:
        """Return a row's text as segments, with each match of the search text in reverse video."""
        search, segments, end = self.search.lower(), [], 0
        lowered = shown.lower()
        # Where a character's lower case is longer, positions in the two texts do not agree.
        while search and len(lowered) == len(shown) and (start := lowered.find(search, end)) >= 0:
            highlighted = style + Style(reverse=True, bold=is_current_match)
            segments += [
                Segment(shown[end:start], style),
                Segment(shown[start : start + len(search)], highlighted),
            ]
            end = start + len(search)
        return [*segments, Segment(shown[end:], style)]


def line_head(line: LogLine) -> str:
    """Return the source and the level as they stand before a line."""
    return f"{text.fit(line.source, SOURCE_WIDTH)} {level_label(line.level)} "


def level_label(level: LogLevel) -> str:
    return {"info": "    ", "warn": "WARN", "fail": "FAIL"}[level]
