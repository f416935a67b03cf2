from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from tui.formatting import text
from tui.viewmodel.model_waiting import waiting
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import ModelProgress, Snapshot

ONE_LINE = 60
"""From this width on a model takes one line, below two."""


class Models(Pane):
    """How far each model is."""

    TITLE = "Models"
    counted = ""

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        tasks = snapshot.tasks
        counts = ("pending", "wait"), ("running", "run"), ("done", "done"), ("failed", "fail")
        counted = "  ".join(f"{word} {text.number(tasks[s])}" for s, word in counts)
        if counted != self.counted:  # setting it draws the whole pane again
            self.counted = self.border_subtitle = counted

    def lines(self, snapshot: Snapshot, width: int) -> list[Content]:
        name_width = max((len(model.row.name) for model in snapshot.models), default=0)
        lines: list[Content] = []
        for model in snapshot.models:
            if width >= ONE_LINE:
                lines.append(one_line(model, min(name_width, 24), width))
            else:
                lines += two_lines(model, width)
            if model.row.blocked:
                blocked = f"  FAIL blocked: {text.visible(model.row.blocked)}"
                lines.append(Content.styled(blocked, "$text-error"))
            if waits := waiting(model.row):
                lines.append(Content.styled(f"  WAIT {text.visible(waits)}", "$text-warning"))
        if len(snapshot.models) > 1 and not self.screen.has_class("-short"):
            lines.append(everything(snapshot, width))
        return lines


def one_line(model: ModelProgress, name_width: int, width: int) -> Content:
    name = text.fit(model.row.name, name_width)
    end = f" {text.percent(model.share):>4} {speed(model)}{failed(model):>11}"
    return Content.assemble(name, " ", bar(model.share, width - len(name) - len(end) - 1), end)


def two_lines(model: ModelProgress, width: int) -> list[Content]:
    counts = f"{short(model.captioned)}/{short(model.total)} {text.percent(model.share):>4}"
    name = text.fit(model.row.name, max(4, width - len(counts) - 1))
    tail = f"{speed(model)}{failed(model):>11}"
    first = Content.assemble(f"{name} {counts}")
    return [first, Content.assemble(bar(model.share, max(4, width - len(tail))), tail)]


def speed(model: ModelProgress) -> str:
    return f"{text.rate(model.rate):>6}/s {text.duration(model.eta):>6}"


def failed(model: ModelProgress) -> str:
    return f"{short(model.failed)} fail"


def everything(snapshot: Snapshot, width: int) -> Content:
    eta = f"  ETA {text.duration(snapshot.eta)}" if snapshot.eta is not None else ""
    counts = f"{short(snapshot.captioned)}/{short(snapshot.total)}"
    line = f"all  {counts}  {text.percent(snapshot.share)}{eta}"
    return Content.styled(line, "$foreground-muted")


def bar(share: float, width: int) -> Content:
    filled = int(share * width)
    return Content.assemble(
        ("█" * filled, "$primary"), ("░" * (width - filled), "$foreground-muted")
    )


def short(count: int) -> str:
    if count < 10_000:
        return text.number(count)
    if count < 1_000_000:
        return f"{count / 1_000:.0f}k"
    return f"{count / 1_000_000:.2f}M"
