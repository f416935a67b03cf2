"""The detail of a task: its attempts, failed records and the last lines of its worker's log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tui.formatting import content, text
from tui.viewmodel import pages
from tui.viewmodel.state_labels import TASK_LABELS

if TYPE_CHECKING:
    from db.rows import AttemptRow, FailureRow, TaskRow
    from engine.project.layout import Project
    from tui.viewmodel.pages import TaskHistory

LOG_LINES = 12
"""Lines shown from the end of the worker's log."""
REST_SECONDS = 0.08
"""Seconds that the cursor must rest on a task before its detail is read."""


class TaskDetail(Static):
    """A text about a task, which a thread reads from the database and the worker's log."""

    @dataclass
    class DetailRead(Message):
        """The history of `task` was read."""

        task: TaskRow
        history: TaskHistory

    def __init__(self, project: Project) -> None:
        super().__init__(markup=False)
        self.project = project
        self.task_row: TaskRow | None = None
        self.shown: Content = Content("")
        """The text of the task that was read last."""
        self.timer: Timer | None = None
        """Starts reading the task under the cursor when the cursor rests."""

    def show(self, task: TaskRow | None) -> None:
        """Show a task once the cursor rests on it, or nothing."""
        if task == self.task_row:
            return
        self.task_row = task
        if task is None:
            self.update("")
            return
        if self.timer is not None:
            self.timer.stop()
        self.timer = self.set_timer(REST_SECONDS, lambda: self.read_detail(task))

    @work(thread=True, group="detail", exit_on_error=False)
    def read_detail(self, task: TaskRow) -> None:
        history = pages.read_task_history(self.project, task, LOG_LINES)
        self.post_message(self.DetailRead(task, history))

    @on(DetailRead)
    def detail_read(self, event: DetailRead) -> None:
        event.stop()
        if event.task == self.task_row:
            lines = detail_lines(event.task, event.history)
            lines += log_lines(event.task, event.history.log)
            self.shown = Content("\n").join(lines)
            self.update(self.shown)


def detail_lines(task: TaskRow, history: TaskHistory) -> list[Content]:
    done = "scored" if history.is_scoring else "captioned"
    device = f"  on {text.visible(task.device)}" if task.device else ""
    error = f"  {text.visible(task.error)}" if task.error else ""
    head = Content.assemble(
        f"{task.shard:05}  ",
        content.state_label(TASK_LABELS[task.state]),
        f"{device}  {text.number(task.captioned)} {done}, {text.number(task.failed)} failed,"
        f" {text.number(task.empty)} empty, {text.number(task.left)} left{error}",
    )
    failed = (
        line for failure in history.failures for line in failure_lines(failure, history.images)
    )
    return [head, *map(attempt_line, history.attempts), *failed]


def attempt_line(attempt: AttemptRow) -> Content:
    took = "" if attempt.ended is None else text.duration(attempt.ended - attempt.started)
    outcome = text.visible(attempt.outcome or "under way")
    detail = f": {text.visible(attempt.detail)}" if attempt.detail else ""
    return Content.assemble(
        (f"attempt {attempt.number}  ", "$foreground-muted"),
        f"{text.visible(attempt.device)}  {text.day_and_clock(attempt.started)}  {took:>7}"
        f"  {text.plural(attempt.rows, 'row')}  {outcome}{detail}",
    )


def failure_lines(failure: FailureRow, images: Mapping[int, str]) -> list[Content]:
    """Return what failed for one reason; `images` are those of the records, by index."""
    named = (
        f"           record {i}  {text.visible(images.get(i, ''))}: {text.visible(detail)}"
        for i, detail in failure.examples
    )
    head = f"{text.plural(failure.count, 'record')} {text.visible(failure.kind)}"
    return [
        Content.styled(f"failed     {head}", "$text-error"),
        *map(Content, named),
    ]


def log_lines(task: TaskRow, lines: list[str]) -> list[Content]:
    """Return the last lines of the device's log; they may be about a later task of the device."""
    if not lines:
        return []
    head = f"log        the last lines of {text.visible(task.device or '')}"
    return [
        Content.styled(head, "$foreground-muted"),
        *(Content(f"           {text.visible(line)}") for line in lines),
    ]
