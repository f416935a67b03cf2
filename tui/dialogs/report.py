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

from engine.utils.errors import BadInput, Refused
from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.formatting.text import describe_error

Progress = Callable[[int, int], None]


class Closed(Exception):
    """Nobody waits for the lines any more."""


class Report(Dialog[None]):
    """Lines that a thread makes, which may take a while; closing ends it at its next step."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="report.close"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="report.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="report.up"),
    ]

    @dataclass
    class Step(Message):
        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Report.Step)

    @dataclass
    class Made(Message):
        lines: list[str]

    def __init__(self, title: str, make: Callable[[Progress], list[str]]) -> None:
        super().__init__()
        self.heading = title
        self.make = make
        self.closed = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = self.heading
            dialog.border_subtitle = "esc closes"
            yield Static("looking ...", id="lines", markup=False)

    def on_mount(self) -> None:
        self.work_on_it()

    @work(thread=True, group="report", exit_on_error=False)
    def work_on_it(self) -> None:
        try:
            lines = self.make(lambda done, total: self.tell(done, total))
        except Closed:
            return
        except (BadInput, Refused) as error:
            lines = [str(error)]
        except Exception as error:
            lines = [describe_error(error)]
        self.post_message(self.Made(lines))

    def tell(self, done: int, total: int) -> None:
        """Raises `Closed`."""
        if self.closed:
            raise Closed
        self.post_message(self.Step(done, total))

    @on(Step)
    def stepped(self, event: Report.Step) -> None:
        done, total = text.number(event.done), text.number(event.total)
        self.query_one("#lines", Static).update(f"{done} of {total} shards ...")

    @on(Made)
    def was_made(self, event: Report.Made) -> None:
        self.query_one("#lines", Static).update("\n".join(map(text.visible, event.lines)))

    def on_unmount(self) -> None:
        self.closed = True

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        self.dismiss()
