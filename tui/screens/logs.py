from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.utils.tail import Tail
from tui.formatting import text
from tui.screens.project_screen import ProjectScreen
from tui.widgets.log_view import LEVELS, Level, Line, LogView, level_of

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import Snapshot

EVERY_SECONDS = 1.0
SHOWN = {"info": "all levels", "warn": "WARN, FAIL", "fail": "FAIL only"}


@dataclass
class LinesRead(Message):
    lines: list[Line]
    sources: tuple[str, ...]


class Logs(ProjectScreen):
    """What the workers and the supervisor wrote to their log files."""

    MODE = "logs"
    HELP = "The end of the log files in the project's logs folder, and what is added to them."
    AUTO_FOCUS = "LogView"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", tooltip="Follow the end, or stay", id="logs.follow"),
        Binding("L", "level", "Level", tooltip="All, warnings, errors only", id="logs.level"),
        Binding("right_square_bracket", "source(1)", "Source", tooltip="Next file", id="logs.next"),
        Binding(
            "left_square_bracket",
            "source(-1)",
            "Source",
            False,
            tooltip="Last file",
            id="logs.last",
        ),
        Binding("slash", "find", "Find", tooltip="Search", id="logs.find"),
        Binding("n", "match(1)", "Next", False, tooltip="Next match", id="logs.next_match"),
        Binding("N", "match(-1)", "Last", False, tooltip="Match before", id="logs.last_match"),
        Binding("w", "wrap", "Wrap", tooltip="Wrap long lines, or cut them", id="logs.wrap"),
        Binding("escape", "back", "Back", False, tooltip="Forget the search", id="logs.back"),
    ]

    reading = False
    source: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.tails: dict[str, Tail] = {}
        self.levels: dict[str, Level] = {}
        self.everything: list[Line] = []

    def body(self) -> Iterable[Widget]:
        yield Static(id="head", markup=False)
        yield LogView(id="log")
        yield Input(placeholder="search", id="search", compact=True)

    def on_mount(self) -> None:
        field = self.query_one(Input)
        field.cursor_blink = False
        field.display = False
        self.say()
        self.set_interval(EVERY_SECONDS, self.look)

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def show(self, snapshot: Snapshot) -> None:
        self.look()

    # The files

    def look(self) -> None:
        if self.is_current and not self.reading and self.main.project is not None:
            self.reading = True
            self.read(self.main.project.logs)

    @work(thread=True, group="logs", exit_on_error=False)
    def read(self, folder: Path) -> None:
        try:
            paths = sorted(folder.glob("*.log"), key=lambda path: (len(path.name), path.name))
            lines: list[Line] = []
            for path in paths:
                name = path.stem.removeprefix("worker-")
                lines += self.new_lines(name, self.tails.setdefault(name, Tail(path)))
            known = {line.source for line in self.everything} | {line.source for line in lines}
            sources = tuple(path.stem.removeprefix("worker-") for path in paths)
            self.post_message(LinesRead(lines, tuple(s for s in sources if s in known)))
        finally:
            self.reading = False

    def new_lines(self, name: str, tail: Tail) -> list[Line]:
        lines = []
        try:
            said = tail.read()
        except OSError as error:
            said = [f"cannot read {tail.path}: {error.strerror}"] if tail.path.exists() else []
        for each in said:
            level = level_of(each, self.levels.get(name, "info"))
            self.levels[name] = level
            lines.append(Line(name, level, each))
        return lines

    @on(LinesRead)
    def lines_read(self, event: LinesRead) -> None:
        self.sources = event.sources
        if event.lines:
            first = not self.everything
            self.everything += event.lines
            if first:
                self.choose()
            else:
                self.view.add([line for line in event.lines if self.wanted(line)])
        self.say()

    sources: tuple[str, ...] = ()

    def wanted(self, line: Line) -> bool:
        return self.source is None or line.source == self.source

    def choose(self) -> None:
        self.view.set_lines(line for line in self.everything if self.wanted(line))
        self.everything = self.everything[-100_000:]

    # Keys

    def action_source(self, by: int) -> None:
        choices = [None, *self.sources]
        place = choices.index(self.source) if self.source in choices else 0
        self.source = choices[(place + by) % len(choices)]
        self.choose()

    def action_follow(self) -> None:
        self.view.follow = not self.view.follow

    def action_level(self) -> None:
        self.view.level = LEVELS[(LEVELS.index(self.view.level) + 1) % len(LEVELS)]

    def action_wrap(self) -> None:
        self.view.wrap = not self.view.wrap

    def action_find(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)  # at once: what is typed on is no command

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

    def why_not(self, action: str) -> str | None:
        if action == "match" and not self.view.found:
            return "nothing was searched, or found"
        return None

    def copied(self, row: bool) -> str | None:
        line = self.view.current
        return None if line is None else f"{line.source}\t{line.said}" if row else line.said

    @on(LogView.Changed)
    def say(self) -> None:
        view = self.view
        source = "all files" if self.source is None else self.source
        search = f"/{view.search} {len(view.found):,} found (n N)" if view.search else ""
        follow = "follows (f)" if view.follow else "stays (f)"
        wrap = "wrapped (w)" if view.wrap else "cut (w)"
        said = (f"{source} ([ ])", f"{SHOWN[view.level]} (L)", follow, wrap, search)
        self.query_one("#head", Static).update(text.visible("   ".join(filter(None, said))))
        view.border_subtitle = text.plural(len(view.rows), "line")
        view.border_title = "Logs" if self.everything else "Logs: none yet"
        self.refresh_keys()
