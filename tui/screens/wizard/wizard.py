from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, ContentSwitcher, Static

from engine.errors import BadInput
from tui import actions, draft, text
from tui.app import describe
from tui.draft import Draft
from tui.screens.wizard.devices import Devices
from tui.screens.wizard.models import Models
from tui.screens.wizard.prompts import Prompts
from tui.screens.wizard.review import Review
from tui.screens.wizard.source import Source
from tui.screens.wizard.step import Step
from tui.widgets.path_complete import PathComplete

if TYPE_CHECKING:
    from tui.screens.pilot import Outcome

READ_SECONDS = 4.0

STEPS = (Source, Models, Devices, Prompts, Review)


class Wizard(ModalScreen[Path | None]):
    """Makes a new project in five steps; returns its folder."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "step(1)", "Next", id="wizard.next"),
        Binding("escape", "step(-1)", "Back", tooltip="Back, or close", id="wizard.back"),
    ]

    @dataclass
    class Counted(Message):
        records: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Wizard.Counted)

    @dataclass
    class Made(Message):
        folder: Path | None
        trouble: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.draft = Draft()
        self.at = 0
        self.making = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "New project"
            dialog.border_subtitle = "ctrl+n next, esc back"
            yield Static(id="steps", markup=False)
            with ContentSwitcher(initial="source"):
                for step in STEPS:
                    yield step(self.draft)
            yield Static(id="why-not", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Back", id="back", compact=True)
                yield Button("Next", id="next", variant="primary", compact=True)
                yield Button("Pilot", id="pilot", compact=True)
                yield Button("Create", id="create", compact=True)
                yield Button("Create and run", id="run", variant="primary", compact=True)

        for name in (name for step in STEPS for name in step.PATHS):
            yield PathComplete(f"#{name}")

    def on_mount(self) -> None:
        self.show()

    @property
    def step(self) -> Step:
        return self.query_one(f"#{STEPS[self.at].NAME.lower()}", Step)

    def show(self) -> None:
        self.query_one(ContentSwitcher).current = STEPS[self.at].NAME.lower()
        names = [
            Content.styled(f"[{n} {step.NAME}]", "bold")
            if n - 1 == self.at
            else Content.styled(f" {n} {step.NAME} ", "$foreground-muted")
            for n, step in enumerate(STEPS, 1)
        ]
        self.query_one("#steps", Static).update(Content("").join(names))
        last = self.at == len(STEPS) - 1
        self.query_one("#next").display = not last
        for name in ("pilot", "create", "run"):
            self.query_one(f"#{name}").display = last
        self.step.enter()
        self.changed()

    @on(Step.Changed)
    def changed(self) -> None:
        why = self.step.why_not()
        self.query_one("#next").disabled = why is not None
        if not self.making:
            self.say(why or "")

    def say(self, said: str) -> None:
        self.query_one("#why-not", Static).update(text.visible(said))

    @on(Button.Pressed, "#next")
    def next(self) -> None:
        self.action_step(1)

    @on(Button.Pressed, "#back")
    def back(self) -> None:
        self.action_step(-1)

    def action_step(self, by: int) -> None:
        if self.making or (by > 0 and self.step.why_not() is not None):
            return
        if self.at + by < 0:
            self.dismiss(None)
        elif self.at + by < len(STEPS):
            self.at += by
            self.show()

    # The end

    @on(Button.Pressed, "#pilot")
    def pilot(self) -> None:
        from engine.pilot import IMAGES
        from tui.screens.pilot import Pilot

        self.app.push_screen(Pilot(lambda: self.draft.plan(IMAGES)), self.piloted)

    def piloted(self, outcome: Outcome | None) -> None:
        if outcome is None:
            return
        self.query_one(Review).hours = outcome.time
        self.query_one(Review).draw()
        if outcome.go:
            self.make(run=True)

    @on(Button.Pressed, "#create")
    def create(self) -> None:
        self.make(run=False)

    @on(Button.Pressed, "#run")
    def create_and_run(self) -> None:
        self.make(run=True)

    def make(self, run: bool) -> None:
        if not self.making:
            self.making = True
            self.say("reading records ...")
            self.work_on_it(run)

    @work(thread=True, group="create", exit_on_error=False)
    def work_on_it(self, run: bool) -> None:
        try:
            folder = draft.create(
                self.draft, lambda records: self.post_message(self.Counted(records))
            )
        except BadInput as error:
            self.post_message(self.Made(None, str(error)))
        except Exception as error:
            self.post_message(self.Made(None, describe(error)))
        else:
            trouble = self.start(folder) if run else None
            self.post_message(self.Made(folder, trouble))

    def start(self, folder: Path) -> str | None:
        try:
            actions.start(actions.open_project(folder), self.draft.devices)
        except Exception as error:
            return describe(error)
        return None

    @on(Counted)
    def counted(self, event: Counted) -> None:
        self.say(f"reading records ... {text.number(event.records)}")

    @on(Made)
    def made(self, event: Made) -> None:
        self.making = False
        if event.folder is not None and event.trouble is None:
            self.dismiss(event.folder)
        elif event.folder is not None:
            self.say(f"the project is made, but did not start: {event.trouble}")
            self.app.set_timer(READ_SECONDS, lambda: self.dismiss(event.folder))
        else:
            self.say(event.trouble or "")
