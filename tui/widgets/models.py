"""The dashboard's pane of models: a progress bar, speed, remaining time and failures of each."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from textual.content import Content

from tui.formatting import text
from tui.viewmodel.health import finished_line, sick_lines
from tui.viewmodel.model_waiting import describe_wait, model_waits
from tui.viewmodel.retry import retry_line
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import ModelProgress, Snapshot

ONE_LINE_WIDTH = 60
"""A pane of at least so many cells shows a model in one line, a narrower one in two lines."""


class ModelsPane(Pane):
    """The progress of each model, and why a model is blocked or waits."""

    TITLE = "Models"

    def __init__(self) -> None:
        super().__init__()
        self.task_counts = ""
        """The tasks by state, as the border shows them."""

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        tasks = snapshot.tasks
        counts = ("pending", "wait"), ("running", "run"), ("done", "done"), ("failed", "fail")
        task_counts = "  ".join(f"{word} {text.number(tasks[s])}" for s, word in counts)
        if task_counts != self.task_counts:  # setting the subtitle draws the whole pane again
            self.task_counts = self.border_subtitle = task_counts

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        whole = self.all_lines(snapshot, width, wraps=True)
        if len(whole) <= self.scrollable_content_region.height:
            return whole
        return self.all_lines(snapshot, width, wraps=False)

    def all_lines(self, snapshot: Snapshot, width: int, wraps: bool) -> list[Content]:
        """Return all lines; with `wraps`, a warning takes as many as it needs to be read whole."""
        name_width = max((len(name_label(model)) for model in snapshot.models), default=0)
        lines: list[Content] = []
        waits_by_model, finish_times = model_waits(snapshot), snapshot.finish_times
        for model in snapshot.models:
            eta = finish_times.get(model.row.id)
            if width >= ONE_LINE_WIDTH:
                lines.append(one_line(model, eta, min(name_width, 24), width))
            else:
                lines += two_lines(model, eta, width)
            if retry := retry_line(model):
                lines.append(Content.styled(f"  {retry}", "$text-primary"))
            if model.row.blocked:
                blocked = f"  FAIL blocked: {text.visible(model.row.blocked)}"
                lines.append(Content.styled(blocked, "$text-error"))
            for line in sick_lines(model.row):
                lines += warning_lines("  WARN ", line, width if wraps else 0)
            if model.row.health_stop and model.row.id not in waits_by_model:
                stopped = f"  WAIT stopped, since {text.visible(model.row.health_stop)}"
                lines.append(Content.styled(stopped, "$text-warning"))
            waits = describe_wait(model.row)
            if wait := waits_by_model.get(model.row.id):
                waits = wait.reason
            if waits:
                lines.append(Content.styled(f"  WAIT {text.visible(waits)}", "$text-warning"))
        if finished := finished_line(snapshot):
            lines += warning_lines("", finished, width if wraps else 0)
        if len(snapshot.models) > 1 and not self.screen.has_class("-short"):
            lines.append(total_line(snapshot))
        return lines


def warning_lines(label: str, line: str, width: int) -> list[Content]:
    """Return a warning behind its label, in lines of at most `width` cells; in one if that is 0."""
    shown = text.visible(line)
    indent = " " * len(label)
    rows = wrap(shown, width, initial_indent=label, subsequent_indent=indent) if width else ()
    return [Content.styled(row, "$text-warning") for row in rows or (f"{label}{shown}",)]


def one_line(model: ModelProgress, eta: float | None, name_width: int, width: int) -> Content:
    """Return the progress of a model in a line; `eta` are the seconds until it is done."""
    name = text.fit(name_label(model), name_width)
    end = f" {text.percent(model.share):>4} {speed_label(model, eta)}{failed_label(model):>11}"
    bar = progress_bar(model.share, width - len(name) - len(end) - 1)
    return Content.assemble(name, " ", bar, end)


def two_lines(model: ModelProgress, eta: float | None, width: int) -> list[Content]:
    """Return the same as `one_line` in two lines."""
    captioned = f"{short_number(model.captioned)}/{short_number(model.total)}"
    counts = f"{captioned} {text.percent(model.share):>4}"
    name = text.fit(name_label(model), max(4, width - len(counts) - 1))
    tail = f"{speed_label(model, eta)}{failed_label(model):>11}"
    first = Content.assemble(f"{name} {counts}")
    return [first, Content.assemble(progress_bar(model.share, max(4, width - len(tail))), tail)]


def speed_label(model: ModelProgress, eta: float | None) -> str:
    return f"{text.rate(model.rate):>6}/s {text.duration(eta):>6}"


def name_label(model: ModelProgress) -> str:
    """Return the model's name, and that it is a scorer."""
    return f"{model.row.name} (scores)" if model.is_scorer else model.row.name


def failed_label(model: ModelProgress) -> str:
    return f"{short_number(model.failed)} fail"


def total_line(snapshot: Snapshot) -> Content:
    """Return what all models have done: captions, and images whose captions are scored."""
    parts = ["all", text.percent(snapshot.share)]
    if snapshot.eta is not None:
        parts.append(f"ETA {text.duration(snapshot.eta)}")
    parts.append(f"{short_number(snapshot.captioned)}/{short_number(snapshot.total)} captions")
    if snapshot.to_score:
        parts.append(f"{short_number(snapshot.scored)}/{short_number(snapshot.to_score)} scored")
    return Content.styled("  ".join(parts), "$foreground-muted")


def progress_bar(share: float, width: int) -> Content:
    filled = int(share * width)
    return Content.assemble(
        ("█" * filled, "$primary"), ("░" * (width - filled), "$foreground-muted")
    )


def short_number(count: int) -> str:
    """Return a count in at most six characters, such as `9,999`, `120k` or `3.32M`."""
    if count < 10_000:
        return text.number(count)
    if count < 1_000_000:
        return f"{count / 1_000:.0f}k"
    return f"{count / 1_000_000:.2f}M"
