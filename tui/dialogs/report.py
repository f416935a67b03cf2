"""The dialog that shows lines which a thread makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from engine.utils.errors import BadInput, RequestRefused
from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.formatting.text import describe_error

ReportProgress = Callable[[int, int], None]
"""A function that takes the numbers of shards that are done and in all."""


class ReportClosed(Exception):
    """Raised in the thread that makes the lines once the dialog is closed."""


class Report(Dialog[None]):
    """The lines that `make_report` returns. It runs in a thread and may take a while.

    When the dialog is closed, the thread ends the next time it reports progress.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="report.close"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="report.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="report.up"),
    ]

    @dataclass
    class ShardsMeasured(Message):
        """The thread worked through `done` of `total` shards."""

        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Report.ShardsMeasured)

    @dataclass
    class LinesMade(Message):
        """The thread made the lines, or failed and says why."""

        lines: list[str]

    def __init__(self, title: str, make_report: Callable[[ReportProgress], list[str]]) -> None:
        super().__init__()
        self.heading = title
        self.make_report = make_report
        self.closed = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = self.heading
            dialog.border_subtitle = "esc closes"
            yield Static("looking ...", id="lines", markup=False)

    def on_mount(self) -> None:
        self.make_lines()

    @work(thread=True, group="report", exit_on_error=False)
    def make_lines(self) -> None:
        try:
            lines = self.make_report(self.report_progress)
        except ReportClosed:
            return
        except (BadInput, RequestRefused) as error:
            lines = [str(error)]
        except Exception as error:
            lines = [describe_error(error)]
        self.post_message(self.LinesMade(lines))

    def report_progress(self, done: int, total: int) -> None:
        """Show how far the thread is. Raises `ReportClosed` if the dialog is closed."""
        if self.closed:
            raise ReportClosed
        self.post_message(self.ShardsMeasured(done, total))

    @on(ShardsMeasured)
    def shards_measured(self, event: Report.ShardsMeasured) -> None:
        done, total = text.number(event.done), text.number(event.total)
        self.query_one("#lines", Static).update(f"{done} of {total} shards ...")

    @on(LinesMade)
    def lines_made(self, event: Report.LinesMade) -> None:
        self.query_one("#lines", Static).update("\n".join(map(text.visible, event.lines)))

    def on_unmount(self) -> None:
        self.closed = True

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        self.dismiss()
