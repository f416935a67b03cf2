from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from tui.formatting import braille_plot, content, text
from tui.viewmodel.throughput import POINTS, Minute, Point, minute_points, recent_points

if TYPE_CHECKING:
    from tui.session import Session
    from tui.viewmodel.snapshot import Snapshot

WINDOWS: tuple[int | None, ...] = (5, 30, 360, None)
"""Minutes that can be shown; None is everything."""
BARS = " ▁▂▃▄▅▆▇█"
SPACE_FOR_A_TIME = 14


@dataclass
class History:
    """Everything since the first image, in steps of `step` minutes."""

    step: int
    read: float
    series: tuple[Minute, ...]

    @property
    def end(self) -> float:
        """Of the last step with an image, in seconds since the epoch."""
        return 60.0 * max((minute + self.step for minute, _, _ in self.series), default=0)


def first_window(snapshot: Snapshot) -> int | None:
    """Of a run that is over all there is to see; of a young one what came lately."""
    if snapshot.supervisor is None and snapshot.captioned:
        return None
    return 5 if len({minute for minute, _, _ in snapshot.series}) < 5 else 30


class Throughput(Static, can_focus=True):
    """Images per second over time: a plot, or one line where the terminal is short."""

    @dataclass
    class HistoryRead(Message):
        history: History

    window: reactive[int | None] = reactive(30, init=False)
    model: reactive[int | None] = reactive(None, init=False)
    points: list[Point] = []  # noqa: RUF012 (replaced, never changed)
    snapshot: Snapshot | None = None
    history: History | None = None
    drawn: tuple[object, ...] = ()
    said: object = None

    def __init__(self) -> None:
        super().__init__(markup=False)

    def on_mount(self) -> None:
        self.say()

    def on_resize(self) -> None:
        self.draw()

    def next_window(self) -> None:
        self.window = WINDOWS[(WINDOWS.index(self.window) + 1) % len(WINDOWS)]

    def next_model(self) -> None:
        if self.snapshot is not None:
            models = [None, *(model.row.id for model in self.snapshot.models)]
            place = models.index(self.model) if self.model in models else 0
            self.model = models[(place + 1) % len(models)]

    def watch_window(self) -> None:
        self.update_points()

    def watch_model(self) -> None:
        self.update_points()

    def show(self, snapshot: Snapshot) -> None:
        first, self.snapshot = self.snapshot is None, snapshot
        if first:
            self.set_reactive(Throughput.window, first_window(snapshot))
        self.update_points()

    def update_points(self) -> None:
        seen = self.snapshot
        if seen is None:
            return
        if self.window == 5:
            self.points = recent_points(seen.recent, seen.series, seen.taken, self.model)
        elif self.window is not None:
            self.points = minute_points(seen.series, seen.taken, self.window, self.model)
        else:
            if self.history is None or seen.taken - self.history.read > 60 * self.history.step:
                self.read_history(seen.taken)
            known = self.history or History(1, seen.taken, seen.series)
            end = known.read if seen.supervisor else min(known.read, known.end)
            self.points = minute_points(known.series, end, None, self.model, known.step)
        self.draw()

    @work(thread=True, group="history", exclusive=True, exit_on_error=False)
    def read_history(self, now: float) -> None:
        from db import progress
        from db.connection import reading

        app: Session = self.app  # type: ignore[assignment]
        if app.project is None:
            return
        with reading(app.project.database) as connection:
            first = progress.first_minute(connection)
            step = max(1, -(-int(now // 60 - (first or now // 60)) // POINTS))
            series = progress.images_by_minute(connection, 0, step)
        self.post_message(self.HistoryRead(History(step, now, series)))

    @on(HistoryRead)
    def history_read(self, event: HistoryRead) -> None:
        self.history = event.history
        self.update_points()

    # Drawing

    def say(self) -> None:
        name = self.snapshot.model_name(self.model) if self.snapshot else None
        nothing = "" if self.points else f"  nothing {self.when_nothing}"
        said = f"Throughput, {name or 'all models'}{nothing}"
        spans = {None: "all time", 5: "5 min", 30: "30 min", 360: "6 h"}
        if (said, self.window) != self.said:
            self.said = said, self.window
            self.border_title = content.title(said)
            self.border_subtitle = f"{spans[self.window]}: t changes, v model"

    @property
    def when_nothing(self) -> str:
        seen = self.snapshot
        return "in this time" if seen is not None and seen.captioned else "yet"

    def draw(self) -> None:
        size = self.scrollable_content_region.size
        short = self.screen.has_class("-short")
        drawing = (tuple(self.points), size, short, self.window, self.model)
        if drawing == self.drawn or size.width < 20 or size.height < 1:
            return
        self.drawn = drawing
        self.say()
        lines = self.line(size.width) if short else self.plot(size.width, size.height)
        self.update(Content("\n").join(lines), layout=False)

    def line(self, width: int) -> list[Content]:
        values = [value for _, value in self.points]
        if not values:
            return [Content.styled(f"no image {self.when_nothing}", "$foreground-muted")]
        highest = max(values)
        end = f"  {text.rate(values[-1])} img/s  max {text.rate(highest)}"
        room = max(1, width - len(end))
        shown = [values[place * len(values) // room] for place in range(room)]
        bars = "".join(BARS[round(8 * value / highest) if highest else 0] for value in shown)
        return [Content.assemble((bars, "$primary"), end)]

    def plot(self, width: int, height: int) -> list[Content]:
        if not self.points or height < 4:
            return [Content.styled(f"no image {self.when_nothing}", "$foreground-muted")]
        left, right = self.points[0][0], self.points[-1][0]
        left = min(left, right - 1)
        ticks = braille_plot.scale(
            max(value for _, value in self.points), steps=2 if height < 9 else 3
        )
        marks = braille_plot.labels(ticks)
        gutter = max(map(len, marks))
        rows, columns = height - 2, width - gutter - 1
        at = {rows - 1 - round(n * (rows - 1) / (len(ticks) - 1)): m for n, m in enumerate(marks)}
        curve = braille_plot.curve(self.points, left, right, ticks[-1], (columns, rows))
        lines = [
            Content.assemble(
                (f"{at.get(row, ''):>{gutter}}{'┤' if row in at else '│'}", "$foreground-muted"),
                (cells, "$primary"),
            )
            for row, cells in enumerate(curve)
        ]
        axis = f"{'':>{gutter}}└{'─' * columns}"
        times = " " * (gutter + 1) + self.times(left, right, columns)
        return [*lines, *(Content.styled(end, "$foreground-muted") for end in (axis, times))]

    def times(self, left: float, right: float, width: int) -> str:
        form = "%H:%M:%S" if right - left < 20 else "%H:%M" if right - left < 1440 else "%m-%d %Hh"
        count = max(2, width // SPACE_FOR_A_TIME)
        row = ""
        for n in range(count):
            said = datetime.fromtimestamp(60 * (left + (right - left) * n / (count - 1)))
            label = said.strftime(form)
            place = round((width - len(label)) * n / (count - 1))
            row = row.ljust(place)[:place] + label
        return row
