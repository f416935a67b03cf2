"""The dashboard's plot of images per second over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from tui.formatting import content, text
from tui.formatting.histogram import BARS
from tui.formatting.plot_frame import framed_curve
from tui.viewmodel.throughput import Point, ThroughputHistory, minute_points, recent_points

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot

WINDOWS: tuple[int | None, ...] = (5, 30, 360, None)
"""Lengths of time that can be shown, in minutes; None is all time."""
CELLS_PER_TIME = 14
"""Cells of the time axis for each label."""


def initial_window(snapshot: Snapshot) -> int | None:
    """Return the window to begin with: all time for a run that is over, less for a young one."""
    if snapshot.supervisor is None and snapshot.captioned:
        return None
    return 5 if len({minute for minute, _, _ in snapshot.images_by_minute}) < 5 else 30


class ThroughputPlot(Static, can_focus=True):
    """A plot of images per second of all models or one; one line of bars in a short terminal."""

    @dataclass
    class HistoryRead(Message):
        """The images of all time were read from the database."""

        history: ThroughputHistory

    window: reactive[int | None] = reactive(30, init=False)
    """The minutes that are shown; None is all time."""
    model: reactive[int | None] = reactive(None, init=False)
    """The id of the model that is shown; None is all models together."""

    def __init__(self, project: Project) -> None:
        super().__init__(markup=False)
        self.project = project
        self.points: list[Point] = []
        self.snapshot: Snapshot | None = None
        self.history: ThroughputHistory | None = None
        """The images of all time; None until that window is chosen."""
        self.drawn_state: tuple[object, ...] = ()
        """The points, sizes and choices that the plot was drawn for last."""
        self.shown_title: object = None
        """The title and the window that the border shows."""

    def on_mount(self) -> None:
        self.update_title()

    def on_resize(self) -> None:
        self.redraw()

    def next_window(self) -> None:
        self.window = WINDOWS[(WINDOWS.index(self.window) + 1) % len(WINDOWS)]

    def next_model(self) -> None:
        if self.snapshot is not None:
            models = [None, *(model.row.id for model in self.snapshot.models)]
            index = models.index(self.model) if self.model in models else 0
            self.model = models[(index + 1) % len(models)]

    def watch_window(self) -> None:
        self.update_points()

    def watch_model(self) -> None:
        self.update_points()

    def show(self, snapshot: Snapshot) -> None:
        is_first, self.snapshot = self.snapshot is None, snapshot
        if is_first:
            self.set_reactive(ThroughputPlot.window, initial_window(snapshot))
        self.update_points()

    def update_points(self) -> None:
        """Make the curve for the chosen window and model, and draw it."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        if self.window == 5:
            self.points = recent_points(
                snapshot.recent_rates, snapshot.images_by_minute, snapshot.taken_at, self.model
            )
        elif self.window is not None:
            self.points = minute_points(
                snapshot.images_by_minute, snapshot.taken_at, self.window, self.model
            )
        else:
            now, history = snapshot.taken_at, self.history
            if history is None or now - history.read_at > 60 * history.step:
                self.read_history(now)
            if history is None:  # until it is read, the minutes of the snapshot stand in
                history = ThroughputHistory(1, now, snapshot.images_by_minute)
            end = history.read_at if snapshot.supervisor else min(history.read_at, history.end)
            self.points = minute_points(history.series, end, None, self.model, history.step)
        self.redraw()

    @work(thread=True, group="history", exclusive=True, exit_on_error=False)
    def read_history(self, now: float) -> None:
        from tui.viewmodel.pages import read_throughput_history

        self.post_message(self.HistoryRead(read_throughput_history(self.project, now)))

    @on(HistoryRead)
    def history_read(self, event: HistoryRead) -> None:
        self.history = event.history
        self.update_points()

    # Drawing

    def update_title(self) -> None:
        name = self.snapshot.model_name(self.model) if self.snapshot else None
        nothing = "" if self.points else f"  nothing {self.when_empty}"
        title = f"Throughput, {name or 'all models'}{nothing}"
        spans = {None: "all time", 5: "5 min", 30: "30 min", 360: "6 h"}
        if (title, self.window) != self.shown_title:
            self.shown_title = title, self.window
            self.border_title = content.title(title)
            self.border_subtitle = f"{spans[self.window]}: t changes, v model"

    @property
    def when_empty(self) -> str:
        """How the text for an empty plot ends."""
        snapshot = self.snapshot
        return "in this time" if snapshot is not None and snapshot.captioned else "yet"

    def redraw(self) -> None:
        """Draw the curve if it or the pane differs from what is drawn."""
        size = self.scrollable_content_region.size
        short = self.screen.has_class("-short")
        state = (tuple(self.points), size, short, self.window, self.model)
        if state == self.drawn_state or size.width < 20 or size.height < 1:
            return
        self.drawn_state = state
        self.update_title()
        lines = self.bar_line(size.width) if short else self.plot_lines(size.width, size.height)
        self.update(Content("\n").join(lines), layout=False)

    def bar_line(self, width: int) -> list[Content]:
        """Return the curve as one line of bars."""
        values = [value for _, value in self.points]
        if not values:
            return [Content.styled(f"no image {self.when_empty}", "$foreground-muted")]
        highest = max(values)
        end = f"  {text.rate(values[-1])} img/s  max {text.rate(highest)}"
        room = max(1, width - len(end))
        shown = [values[index * len(values) // room] for index in range(room)]
        bars = "".join(BARS[round(8 * value / highest) if highest else 0] for value in shown)
        return [Content.assemble((bars, "$primary"), end)]

    def plot_lines(self, width: int, height: int) -> list[Content]:
        """Return the curve in braille dots, with labels and axes."""
        if not self.points or height < 4:
            return [Content.styled(f"no image {self.when_empty}", "$foreground-muted")]
        left, right = self.points[0][0], self.points[-1][0]
        left = min(left, right - 1)
        return framed_curve(
            self.points, left, right, (width, height), partial(self.time_labels, left, right)
        )

    def time_labels(self, left: float, right: float, width: int) -> str:
        """Return the labels of the time axis; `left` and `right` are minutes since the epoch."""
        form = "%H:%M:%S" if right - left < 20 else "%H:%M" if right - left < 1440 else "%m-%d %Hh"
        count = max(2, width // CELLS_PER_TIME)
        row = ""
        for n in range(count):
            time = datetime.fromtimestamp(60 * (left + (right - left) * n / (count - 1)))
            label = time.strftime(form)
            column = round((width - len(label)) * n / (count - 1))
            row = row.ljust(column)[:column] + label
        return row
