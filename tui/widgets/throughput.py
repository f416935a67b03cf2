from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import Sparkline, Static
from textual_plotext import PlotextPlot

from tui import text

if TYPE_CHECKING:
    from tui.snapshot import Snapshot

WINDOWS = (5, 30, 120, 360)
"""Minutes that can be shown: the shortest in steps of ten seconds, the others of a minute."""
POINTS = 180
MINUTE_COUNTS_FROM = 10
"""Seconds after which the minute that is under way is shown, as far as it went."""

Point = tuple[float, float]
"""Minutes since the epoch, images per second."""


class Throughput(Vertical, can_focus=True):
    """Images per second over time: a plot, or one line where the terminal is short.

    Drawn again only when a point changed, and the point under way only every ten seconds:
    a plot costs more than the rest of the screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "window", "Window", tooltip="Show 5 or 30 minutes, or hours", id="plot.window")
    ]

    window = reactive(WINDOWS[1], init=False)
    points: tuple[Point, ...] = ()
    snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield PlotextPlot()
        with Horizontal():
            yield Sparkline([])
            yield Static(markup=False)

    def on_mount(self) -> None:
        self.border_title = "Throughput (images/s)"
        self.watch_window()

    def on_resize(self) -> None:
        self.draw()

    def action_window(self) -> None:
        self.window = WINDOWS[(WINDOWS.index(self.window) + 1) % len(WINDOWS)]

    def watch_window(self) -> None:
        span = f"{self.window} min" if self.window < 60 else f"{self.window // 60} h"
        self.border_subtitle = f"last {span}, t changes"
        if self.snapshot:
            self.show(self.snapshot)

    def show(self, snapshot: Snapshot) -> None:
        first, self.snapshot = self.snapshot is None, snapshot
        if first and len(snapshot.series) < WINDOWS[0]:
            self.window = WINDOWS[0]
        if self.window == WINDOWS[0]:
            points: tuple[Point, ...] = tuple((ten / 6, rate) for ten, rate in snapshot.recent)
        else:
            points = rates(snapshot.series, snapshot.taken, self.window)
        if points != self.points:
            self.points = points
            self.draw()

    def draw(self) -> None:
        if self.screen.has_class("-short"):
            self.draw_line()
        else:
            self.draw_plot()

    def draw_line(self) -> None:
        values = [value for _, value in self.points]
        self.query_one(Sparkline).data = values
        now = f" {text.rate(values[-1])} img/s  max {text.rate(max(values))}" if values else " -"
        self.query_one(Static).update(now)

    def draw_plot(self) -> None:
        widget = self.query_one(PlotextPlot)
        plot = widget.plt
        plot.clear_data()
        plot.clear_figure()
        minutes = [minute for minute, _ in self.points]
        values = [value for _, value in self.points]
        if len(self.points) > 1:
            plot.plot(minutes, values, marker="braille", color=self.colour())
            top = max(values) * 1.1 or 1
            plot.ylim(0, top)
            steps = [top * step / 3 for step in range(4)]
            plot.yticks(steps, [f"{step:.0f}" for step in steps])
            ticks = minutes[:: max(1, len(minutes) // 6)]
            form = "%H:%M:%S" if self.window == WINDOWS[0] else "%H:%M"
            plot.xticks(ticks, [local(minute, form) for minute in ticks])
        else:
            plot.xticks([], [])
            plot.yticks([], [])
        widget.refresh()
        self.border_title = "Throughput (images/s)" if values else "Throughput (nothing yet)"

    def colour(self) -> tuple[int, int, int]:
        from textual.color import Color

        return Color.parse(self.app.theme_variables["primary"]).rgb


def local(minute: float, form: str) -> str:
    return datetime.fromtimestamp(minute * 60).strftime(form)


def rates(series: tuple[tuple[int, int], ...], now: float, window: int) -> tuple[Point, ...]:
    """Images per second, minutes without any as 0, at most `POINTS` points."""
    images = dict(series)
    if not images:
        return ()
    current = int(now // 60)
    elapsed = int(now % 60) // MINUTE_COUNTS_FROM * MINUTE_COUNTS_FROM
    first = max(min(images), current - window)
    last = max(images)
    points: list[Point] = [
        (minute, images.get(minute, 0) / 60) for minute in range(first, min(last + 1, current))
    ]
    if elapsed and current in images:
        points.append((current, images[current] / (now % 60)))
    step = -(-len(points) // POINTS)
    if step < 2:
        return tuple(points)
    groups = [points[i : i + step] for i in range(0, len(points), step)]
    return tuple((group[0][0], sum(v for _, v in group) / len(group)) for group in groups)
