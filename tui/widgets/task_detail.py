from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from db.rows import STATE_WORDS
from engine.utils.tail import last_lines
from tui.formatting import content, text

if TYPE_CHECKING:
    from db.rows import AttemptRow, FailureRow, TaskRow
    from tui.session import Session

LOG = 12
REST_SECONDS = 0.08
"""A cursor that runs through the table asks for nothing until it stands still."""


class TaskDetail(Static):
    """A task's attempts and failed records, read in a thread."""

    @dataclass
    class Found(Message):
        task: TaskRow
        attempts: tuple[AttemptRow, ...]
        failures: tuple[FailureRow, ...]
        log: list[str]

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.task_row: TaskRow | None = None
        self.shown: Content = Content("")
        self.timer: Any = None

    def show(self, task: TaskRow | None) -> None:
        if task == self.task_row:
            return
        self.task_row = task
        if task is None:
            self.update("")
            return
        if self.timer is not None:
            self.timer.stop()
        self.timer = self.set_timer(REST_SECONDS, lambda: self.look(task))

    @work(thread=True, group="detail", exit_on_error=False)
    def look(self, task: TaskRow) -> None:
        from db import progress
        from db.connection import reading

        app: Session = self.app  # type: ignore[assignment]
        if app.project is None:
            return
        with reading(app.project.database) as connection:
            attempts = progress.attempts(connection, task.id)
            failures = progress.failures(connection, task.id)
        log = [] if task.device is None else last_lines(app.project.worker_log(task.device), LOG)
        self.post_message(self.Found(task, attempts, failures, log))

    @on(Found)
    def found(self, event: Found) -> None:
        event.stop()
        if event.task == self.task_row:
            said = lines(event.task, event.attempts, event.failures)
            self.shown = Content("\n").join([*said, *log_lines(event.task, event.log)])
            self.update(self.shown)


def lines(
    task: TaskRow, attempts: tuple[AttemptRow, ...], failures: tuple[FailureRow, ...]
) -> list[Content]:
    device = f"  on {text.visible(task.device)}" if task.device else ""
    error = f"  {text.visible(task.error)}" if task.error else ""
    head = Content.assemble(
        f"{task.shard:05}  ",
        content.styled(STATE_WORDS[task.state]),
        f"{device}  {text.number(task.captioned)} captioned, {text.number(task.failed)} failed,"
        f" {text.number(task.empty)} empty, {text.number(task.left)} left{error}",
    )
    return [head, *map(attempt_line, attempts), *(x for f in failures for x in failure_lines(f))]


def attempt_line(attempt: AttemptRow) -> Content:
    took = "" if attempt.ended is None else text.duration(attempt.ended - attempt.started)
    outcome = text.visible(attempt.outcome or "under way")
    detail = f": {text.visible(attempt.detail)}" if attempt.detail else ""
    return Content.assemble(
        (f"attempt {attempt.number}  ", "$foreground-muted"),
        f"{text.visible(attempt.device)}  {text.day_and_clock(attempt.started)}  {took:>7}"
        f"  {text.plural(attempt.rows, 'row')}  {outcome}{detail}",
    )


def failure_lines(failure: FailureRow) -> list[Content]:
    head = f"{text.plural(failure.count, 'record')} {text.visible(failure.kind)}"
    return [
        Content.styled(f"failed     {head}", "$text-error"),
        *(Content(f"           record {i}: {text.visible(said)}") for i, said in failure.examples),
    ]


def log_lines(task: TaskRow, said: list[str]) -> list[Content]:
    """What the device's workers wrote last, perhaps about another shard since."""
    if not said:
        return []
    head = f"log        the last lines of {text.visible(task.device or '')}"
    return [
        Content.styled(head, "$foreground-muted"),
        *(Content(f"           {text.visible(line)}") for line in said),
    ]
