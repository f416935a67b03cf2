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
from tui.widgets.scroll_keys import moving

Level = Literal["info", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("info", "warn", "fail")
FAIL = re.compile(r"\b(ERROR|CRITICAL|FATAL|FAIL|fail)\b|Traceback|\w(Error|Exception)\b")
WARN = re.compile(r"\b(WARN|WARNING|warn)\b|Warning\b")
KEPT = 20_000
SOURCE_WIDTH = len("supervisor")


@dataclass(frozen=True, slots=True)
class Line:
    source: str
    level: Level
    said: str


def level_of(said: str, before: Level) -> Level:
    """By its words; the lines of a traceback belong to it."""
    if FAIL.search(said):
        return "fail"
    if said.startswith((" ", "\t")) and before == "fail":
        return "fail"
    return "warn" if WARN.search(said) else "info"


class LogView(ScrollView, can_focus=True):
    """Lines of log files; draws only those on screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--source",
        "log--warn",
        "log--fail",
        "log--found",
    }
    BINDINGS: ClassVar[list[BindingType]] = moving("log")

    follow = reactive(True, init=False)
    wrap = reactive(False, init=False)
    level: reactive[Level] = reactive("info", init=False)
    search = reactive("", init=False)

    class Changed(Message):
        """Something that the screen's head line says."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[Line] = []
        self.rows: list[tuple[Line, str]] = []
        """What is drawn in each row: with `wrap` a line may take several."""
        self.found: list[int] = []
        """Rows with the search word."""
        self.laid_out_for = 0
        """Cells across."""
        self.here: int | None = None
        """The row with the match that n and N start from."""

    def set_lines(self, lines: Iterable[Line]) -> None:
        self.lines = list(lines)[-KEPT:]
        self.lay_out()

    def add(self, lines: list[Line]) -> None:
        self.lines += lines
        if len(self.lines) > KEPT + KEPT // 10:
            self.lines = self.lines[-KEPT:]
            self.lay_out()
        elif lines:
            self.lay_rows(lines)
            self.laid_out()

    # Layout

    def lay_out(self) -> None:
        self.rows, self.found, self.here = [], [], None
        self.lay_rows(self.lines)
        self.laid_out()

    def lay_rows(self, lines: Iterable[Line]) -> None:
        worst, word = LEVELS.index(self.level), self.search.lower()
        width = max(20, self.scrollable_content_region.width)
        for line in lines:
            if LEVELS.index(line.level) < worst:
                continue
            shown = text.visible(line.said)
            room = width - cell_len(head(line))
            for part in (chop_cells(shown, room) or [""]) if self.wrap else [shown]:
                if word and word in part.lower():
                    self.found.append(len(self.rows))
                self.rows.append((line, part))

    def laid_out(self) -> None:
        self.virtual_size = Size(0, len(self.rows))
        if self.follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.refresh()
        self.post_message(self.Changed())

    def on_resize(self) -> None:
        width = self.scrollable_content_region.width
        if width != self.laid_out_for:
            self.laid_out_for = width
            self.lay_out()
        elif self.follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def watch_wrap(self) -> None:
        self.lay_out()

    def watch_level(self) -> None:
        self.lay_out()

    def watch_search(self) -> None:
        self.lay_out()
        if self.search and self.found:
            self.next_match(-1)

    def watch_follow(self) -> None:
        if self.follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.post_message(self.Changed())

    # Keys

    def action_move(self, by: int) -> None:
        self.go(self.scroll_offset.y + by)

    def action_page(self, by: int) -> None:
        self.go(self.scroll_offset.y + by * self.scrollable_content_region.height)

    def action_jump(self, end: bool) -> None:
        self.follow = end
        if not end:
            self.go(0)

    def go(self, row: int) -> None:
        """Going up stops following; the end is where it begins again."""
        last = max(0, len(self.rows) - self.scrollable_content_region.height)
        self.follow = row >= last
        self.scroll_to(y=min(max(0, row), last), animate=False, immediate=True)

    def next_match(self, by: int) -> None:
        if not self.found:
            return
        start = self.here if self.here is not None else self.scroll_offset.y
        if by > 0:
            row = next((row for row in self.found if row > start), self.found[0])
        elif self.here is None:
            row = self.found[-1]
        else:
            row = next((row for row in reversed(self.found) if row < start), self.found[-1])
        self.here = row
        self.go(row - self.scrollable_content_region.height // 2)
        self.follow = False
        self.refresh()
        self.post_message(self.Changed())

    @property
    def current(self) -> Line | None:
        """The match, else the last line on screen."""
        last = self.scroll_offset.y + self.scrollable_content_region.height - 1
        row = self.here if self.here is not None else min(last, len(self.rows) - 1)
        return self.rows[row][0] if 0 <= row < len(self.rows) else None

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        row = self.scroll_offset.y + y
        if row >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        line, part = self.rows[row]
        source = head(line)
        style = self.rich_style
        if line.level != "info":
            style = self.get_component_rich_style(f"log--{line.level}", partial=False)
        segments = [Segment(source, self.get_component_rich_style("log--source"))]
        segments += self.marked(text.fit(part, width - cell_len(source)), style, row == self.here)
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def marked(self, said: str, style: Style, here: bool) -> list[Segment]:
        word, segments, at = self.search.lower(), [], 0
        lowered = said.lower()
        while word and len(lowered) == len(said) and (place := lowered.find(word, at)) >= 0:
            found = style + Style(reverse=True, bold=here)
            segments += [
                Segment(said[at:place], style),
                Segment(said[place : place + len(word)], found),
            ]
            at = place + len(word)
        return [*segments, Segment(said[at:], style)]


def head(line: Line) -> str:
    return f"{text.fit(line.source, SOURCE_WIDTH)} {words(line.level)} "


def words(level: Level) -> str:
    return {"info": "    ", "warn": "WARN", "fail": "FAIL"}[level]
