"""The Logs screen: the end of the log files, by source and level, with search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.utils.plain_files import names_in
from engine.utils.tail import Tail
from tui.formatting import text
from tui.keys.logs import LOGS_ACTIONS, LogsState
from tui.screens.project_screen import ProjectScreen
from tui.widgets.log_view import LEVELS, LogLevel, LogLine, LogView, level_of

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot

POLL_SECONDS = 1.0
"""Seconds between two readings of what was added to the log files."""
LINES_KEPT = 100_000
"""Lines of all files together that are kept for changing the file or the level."""
NARROW = 110
"""The width of a terminal, in cells, from which lines are cut at first and not wrapped."""
LEVEL_LABELS = {"info": "all levels", "warn": "WARN, FAIL", "fail": "FAIL only"}
"""The label of each lowest level that can be shown."""


@dataclass
class LinesRead(Message):
    """Lines that were added to the log files, and the sources that have any line at all."""

    lines: list[LogLine]
    sources: tuple[str, ...]


class Logs(ProjectScreen):
    """The lines of the log files of the supervisor and the workers, while they are written."""

    MODE = "logs"
    HELP = "The end of the log files in the project's logs folder, and what is added to them."
    AUTO_FOCUS = "LogView"
    BINDINGS: ClassVar[list[BindingType]] = [*LOGS_ACTIONS]

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__(session, project)
        self.reading = False
        """True while a thread reads the log files."""
        self.source: str | None = None
        """The source whose lines are shown; None shows all."""
        self.sources: tuple[str, ...] = ()
        """The supervisor and the devices that have written any line."""
        self.tails: dict[str, Tail] = {}
        """The log file of each source."""
        self.levels: dict[str, LogLevel] = {}
        """The level of the last line of each source: the next may continue its traceback."""
        self.all_lines: list[LogLine] = []
        """Lines of all sources and levels, in the order in which they were read."""

    def body(self) -> Iterable[Widget]:
        yield Static(id="head", markup=False)
        yield LogView(id="log")
        yield Input(placeholder="search", id="search", compact=True)

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.cursor_blink = False
        field.display = False
        # A cut line of a narrow terminal would show little more than the time and the device.
        self.view.wrap = self.app.size.width < NARROW
        self.update_head_line()
        self.set_interval(POLL_SECONDS, self.poll)

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def show(self, snapshot: Snapshot) -> None:
        self.poll()

    # The files

    def poll(self) -> None:
        """Start reading what was added to the log files, unless they are being read."""
        if self.is_current and not self.reading:
            self.reading = True
            self.read(self.project.logs)

    @work(thread=True, group="logs", exit_on_error=False)
    def read(self, folder: Path) -> None:
        try:
            names = [name for name in names_in(folder) if name.endswith(".log")]
            paths = [folder / name for name in sorted(names, key=lambda name: (len(name), name))]
            lines: list[LogLine] = []
            for path in paths:
                source = path.stem.removeprefix("worker-")
                lines += self.read_new_lines(source, self.tails.setdefault(source, Tail(path)))
            with_lines = {line.source for line in self.all_lines} | {line.source for line in lines}
            sources = tuple(path.stem.removeprefix("worker-") for path in paths)
            self.post_message(LinesRead(lines, tuple(s for s in sources if s in with_lines)))
        finally:
            self.reading = False

    def read_new_lines(self, source: str, tail: Tail) -> list[LogLine]:
        """Return the lines that were added to a file, or why it cannot be read as one line."""
        lines = []
        try:
            raw_lines = tail.read()
        except OSError as error:
            raw_lines = [f"cannot read {tail.path}: {error.strerror}"] if tail.path.exists() else []
        for line in raw_lines:
            level = level_of(line, self.levels.get(source, "info"))
            self.levels[source] = level
            lines.append(LogLine(source, level, line))
        return lines

    @on(LinesRead)
    def lines_read(self, event: LinesRead) -> None:
        self.sources = event.sources
        if event.lines:
            first = not self.all_lines
            self.all_lines += event.lines
            if first:
                self.show_chosen_lines()
            else:
                self.view.add([line for line in event.lines if self.is_shown(line)])
        self.update_head_line()

    def is_shown(self, line: LogLine) -> bool:
        """True if the line is of the chosen source."""
        return self.source is None or line.source == self.source

    def show_chosen_lines(self) -> None:
        """Show the lines of the chosen source."""
        self.view.set_lines(line for line in self.all_lines if self.is_shown(line))
        self.all_lines = self.all_lines[-LINES_KEPT:]

    # Keys

    def action_source(self, by: int) -> None:
        choices = [None, *self.sources]
        index = choices.index(self.source) if self.source in choices else 0
        self.source = choices[(index + by) % len(choices)]
        self.show_chosen_lines()

    def action_follow(self) -> None:
        self.view.follow = not self.view.follow

    def action_level(self) -> None:
        self.view.level = LEVELS[(LEVELS.index(self.view.level) + 1) % len(LEVELS)]

    def action_wrap(self) -> None:
        self.view.wrap = not self.view.wrap

    def action_find(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)  # at once: the next keys belong to the field

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        self.view.search = event.value
        self.query_one(Input).display = False
        self.view.focus()

    def action_match(self, by: int) -> None:
        self.view.next_match(by)

    def action_back(self) -> None:
        field = self.query_one(Input)
        if not field.display:
            field.value = self.view.search = ""
        field.display = False
        self.view.focus()

    def action_state(self) -> LogsState:
        return LogsState(
            session=self.session,
            has_focus=self.focused is not None,
            value_to_copy=self.text_to_copy(False),
            matches=len(self.view.match_rows),
        )

    def text_to_copy(self, row: bool) -> str | None:
        line = self.view.current
        return None if line is None else f"{line.source}\t{line.text}" if row else line.text

    @on(LogView.Changed)
    def update_head_line(self) -> None:
        """Show in the top line what is shown and how, and in the view's border how many lines."""
        view = self.view
        source = "all files" if self.source is None else self.source
        search = f"/{view.search} {len(view.match_rows):,} found (n N)" if view.search else ""
        follow = "follows (f)" if view.follow else "stays (f)"
        wrap = "wrapped (w)" if view.wrap else "cut (w)"
        parts = (f"{source} ([ ])", f"{LEVEL_LABELS[view.level]} (L)", follow, wrap, search)
        self.query_one("#head", Static).update(text.visible("   ".join(filter(None, parts))))
        view.border_subtitle = text.plural(len(view.rows), "line")
        view.border_title = "Logs" if self.all_lines else "Logs: none yet"
        self.refresh_keys()
