from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Static

from engine.utils.errors import BadInput
from tui.dialogs.dialog import Dialog
from tui.formatting import captions, text
from tui.formatting.text import describe_error

if TYPE_CHECKING:
    from engine.operations.pilot import Findings, Plan
    from engine.operations.tryout import Tryout, TryoutEvent


@dataclass(frozen=True)
class Outcome:
    """Whether to go on with the run, and how long it will take as far as was measured."""

    go: bool
    time: str | None


class Pilot(Dialog[Outcome | None]):
    """The first images through every model: captions side by side, speed, and time for all."""

    AUTO_FOCUS = "#said"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Change", tooltip="Back, to change something", id="pilot.close"),
        Binding("G", "go", "Go", tooltip="Start the whole run", id="pilot.go"),
        Binding("n,right_square_bracket", "image(1)", "Next image", id="pilot.next"),
        Binding("N,left_square_bracket", "image(-1)", "Image before", id="pilot.last"),
        Binding("d", "diff", "Diff", tooltip="Words that differ", id="pilot.diff"),
        Binding("j", "scroll(1)", "Down", False, id="pilot.down"),
        Binding("k", "scroll(-1)", "Up", False, id="pilot.up"),
    ]

    @dataclass
    class Planned(Message):
        plan: Plan

    @dataclass
    class Told(Message):
        model: str
        said: TryoutEvent

    @dataclass
    class Ended(Message):
        model: str
        trouble: str | None = None

    def __init__(self, make_plan: Callable[[], Plan]) -> None:
        super().__init__()
        self.make_plan = make_plan
        self.findings: Findings | None = None
        self.tryout: Tryout | None = None
        self.closed = False
        self.at = 0
        self.diff = False
        self.states: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Pilot"
            dialog.border_subtitle = "n N next, previous image; d diff; esc change; G go"
            yield Static("looking for devices and records ...", id="models", markup=False)
            with VerticalScroll(id="said"):
                yield Static(id="captions", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Change", id="change", compact=True)
                yield Button("Go: run all of it", id="go", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#go").disabled = True
        self.work_through()

    # The process

    @work(thread=True, group="pilot", exit_on_error=False)
    def work_through(self) -> None:
        from engine.operations.tryout import Tryout, TryoutEvent, TryoutFailed

        try:
            plan = self.make_plan()
        except BadInput as error:
            self.post_message(self.Ended("", str(error)))
            return
        except Exception as error:
            self.post_message(self.Ended("", describe_error(error)))
            return
        self.post_message(self.Planned(plan))
        for name, job in plan.jobs:
            if self.closed:
                return
            try:
                self.post_message(self.Told(name, TryoutEvent(loading="starting")))
                self.tryout = Tryout(job)
                for said in self.tryout:
                    self.post_message(self.Told(name, said))
                self.post_message(self.Ended(name))
            except TryoutFailed as error:
                self.post_message(self.Ended(name, str(error)))
            except Exception as error:
                self.post_message(self.Ended(name, describe_error(error)))

    def on_unmount(self) -> None:
        self.closed = True
        if self.tryout is not None:
            self.tryout.cancel()

    @on(Planned)
    def planned(self, event: Pilot.Planned) -> None:
        from engine.operations.pilot import Findings

        self.findings = Findings(event.plan)
        self.states = {name: "WAIT" for name, _ in event.plan.jobs}
        self.query_one("#go").disabled = False
        self.draw()

    @on(Told)
    def told(self, event: Pilot.Told) -> None:
        said, findings = event.said, self.findings
        if findings is None:
            return
        findings.take(event.model, said)
        if said.loading is not None:
            self.states[event.model] = f"LOAD {said.loading}"
        elif said.record is not None:
            done, records = findings.said_of(event.model), len(findings.plan.records)
            self.states[event.model] = f"RUN {done} of {records}"
        self.draw()

    @on(Ended)
    def ended(self, event: Pilot.Ended) -> None:
        if event.model:
            self.states[event.model] = f"FAIL {event.trouble}" if event.trouble else "DONE"
        else:
            self.query_one("#models", Static).update(text.visible(event.trouble or ""))
        self.draw()

    # Drawing

    def time(self) -> str | None:
        seconds = self.findings.seconds if self.findings else None
        if seconds is None:
            return None
        end = text.day_and_clock(time.time() + seconds)[:-3]
        return f"about {text.duration(seconds)} in all, until {end}"

    def draw(self) -> None:
        findings = self.findings
        if findings is None:
            return
        plan = findings.plan
        width = max((len(name) for name, _ in plan.jobs), default=0)
        lines = []
        for name, _ in plan.jobs:
            rate, alone = findings.rates.get(name), findings.seconds_of(name)
            speed = f"{text.rate(rate):>7} img/s  " if rate is not None else " " * 15
            took = f"{text.duration(alone):>7}  " if alone is not None else " " * 9
            lines.append(
                Content(f"{text.fit(name, width)}  {speed}{took}{text.visible(self.states[name])}")
            )
        about = "about " if plan.estimated else ""
        counted = f"{about}{text.plural(plan.total, 'record')}"
        counted += f" on {text.plural(plan.devices, 'device')}"
        lines.append(Content.styled(f"{counted}: {self.time() or 'measuring'}", "bold"))
        self.query_one("#models", Static).update(Content("\n").join(lines))
        self.query_one("#captions", Static).update(self.captions(findings))

    def captions(self, findings: Findings) -> Content:
        records = len(findings.plan.records)
        if not records:
            return Content("")
        self.at %= records
        image = findings.image(self.at)
        names = [name for name, _ in findings.plan.jobs]
        head = f"image {self.at + 1} of {records}  {text.visible(image.image)}"
        body = captions.captions(image, names, "cut", None, self.diff)
        return Content.assemble((head, "$foreground-muted"), "\n", body)

    # Keys

    def action_image(self, by: int) -> None:
        self.at += by
        self.draw()

    def action_diff(self) -> None:
        self.diff = not self.diff
        self.draw()

    def action_scroll(self, by: int) -> None:
        self.query_one("#said", VerticalScroll).scroll_relative(y=by, animate=False)

    @on(Button.Pressed, "#go")
    def action_go(self) -> None:
        if self.findings is not None:
            self.dismiss(Outcome(True, self.time()))

    @on(Button.Pressed, "#change")
    def action_close(self) -> None:
        self.dismiss(Outcome(False, self.time()))
