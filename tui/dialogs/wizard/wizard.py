from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, ContentSwitcher, Input, Static

from engine.utils.errors import BadInput
from tui.dialogs.deferred_dialog import DeferredDialog
from tui.dialogs.report import Report
from tui.dialogs.wizard.devices import Devices
from tui.dialogs.wizard.models import Models
from tui.dialogs.wizard.prompts import Prompts
from tui.dialogs.wizard.review import Review, command
from tui.dialogs.wizard.source import Source
from tui.dialogs.wizard.step import Step
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.viewmodel import actions, new_project
from tui.viewmodel.new_project import Draft
from tui.widgets.checkbox import Tick

if TYPE_CHECKING:
    from tui.dialogs.pilot import Outcome
    from tui.session import Session

WORD_SECONDS = 0.1
"""Between two words of progress."""

ENDS = ("pilot", "create", "run")
"""Buttons of the last page."""
STEPS = (Source, Models, Devices, Prompts, Review)


class Cancelled(Exception):
    """Nothing is made."""


class Wizard(DeferredDialog[Path | None]):
    """Makes a new project in five steps; returns its folder."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "step(1)", "Next", id="wizard.next"),
        Binding("escape", "step(-1)", "Back", tooltip="Back, or close", id="wizard.back"),
        Binding("ctrl+y", "copy", "Copy", tooltip="Copy the command", id="wizard.copy"),
    ]

    @dataclass
    class Advanced(Message):
        said: str

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Wizard.Advanced)

    @dataclass
    class Made(Message):
        folder: Path | None
        trouble: str | None = None
        minded: tuple[str, ...] = ()
        """What `new` would warn of."""

    def __init__(self) -> None:
        super().__init__()
        self.draft = Draft()
        self.steps = tuple(step(self.draft) for step in STEPS)
        self.at = 0
        self.going_on = False
        """To the next page, once what was entered is found good."""
        self.making = False
        self.cancelled = False
        self.next_word = 0.0

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "New project"
            yield Static(id="steps", markup=False)
            yield ContentSwitcher()
            yield Static(id="why-not", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Back", id="back", compact=True)
                yield Button("Next", id="next", variant="primary", compact=True)
                yield Button("Pilot", id="pilot", compact=True)
                yield Button("Create", id="create", compact=True)
                yield Button("Create and run", id="run", variant="primary", compact=True)

    async def fill(self) -> None:
        await self.show()

    def first(self) -> Widget:
        return self.step.query("Input, Tick").first()

    @property
    def step(self) -> Step:
        """The page in front."""
        return self.steps[self.at]

    async def show(self) -> None:
        names = [
            Content.styled(f"[{n} {step.NAME}]", "bold")
            if n - 1 == self.at
            else Content.styled(f" {n} {step.NAME} ", "$foreground-muted")
            for n, step in enumerate(STEPS, 1)
        ]
        self.query_one("#steps", Static).update(Content("").join(names))
        last = self.at == len(STEPS) - 1
        self.query_one("#next").display = not last
        for name in ENDS:
            self.query_one(f"#{name}").display = last
        keys = "ctrl+y copies the command" if last else "ctrl+n next"
        self.query_one(".dialog").border_subtitle = f"{keys}, esc back"
        step, pages = self.step, self.query_one(ContentSwitcher)
        if not step.is_attached:  # when it is first visited: all at once they hold the loop long
            await pages.add_content(step)
        pages.current = step.id
        await step.enter()
        if self.filled:  # else `take_typed` does
            self.set_focus(self.first())
        self.changed()

    @on(Input.Changed)
    @on(Tick.Changed)
    def entered(self) -> None:
        self.going_on = False

    @on(Step.Changed)
    async def looked(self) -> None:
        self.changed()
        if self.going_on and not self.step.looking:
            await self.action_step(1)

    def changed(self) -> None:
        why = self.step.why_not()
        self.query_one("#next").disabled = why is not None
        for name in ENDS:
            self.query_one(f"#{name}").disabled = self.making or why is not None
        if not self.making:
            self.say(why or "")

    def say(self, said: str) -> None:
        self.query_one("#why-not", Static).update(text.visible(said))

    @on(Button.Pressed, "#next")
    async def next(self) -> None:
        await self.action_step(1)

    @on(Button.Pressed, "#back")
    async def back(self) -> None:
        await self.action_step(-1)

    async def action_step(self, by: int) -> None:
        if self.making and by < 0:
            self.cancelled = True
            self.say("cancelling ...")
        if self.making or (not self.filled and by > 0):
            return
        why_not = self.step.why_not()
        self.going_on = by > 0 and why_not is not None and self.step.looking
        if by > 0 and why_not is not None:
            return
        if self.at + by < 0:
            self.leave(None)
        elif self.at + by < len(STEPS):
            self.at += by
            await self.show()

    def action_copy(self) -> None:
        if isinstance(self.step, Review):
            cast("Session", self.app).copy(command(self.draft))

    # The end

    @on(Button.Pressed, "#pilot")
    def pilot(self) -> None:
        from engine.operations.pilot import IMAGES
        from tui.dialogs.pilot import Pilot

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
            self.cancelled = False
            self.set_making(True)
            self.say("reading records ...")
            self.work_on_it(run)

    def set_making(self, making: bool) -> None:
        self.making = making
        self.query_one("#back", Button).label = "Cancel" if making else "Back"
        for name in ENDS:
            self.query_one(f"#{name}").disabled = making

    @work(thread=True, group="create", exit_on_error=False)
    def work_on_it(self, run: bool) -> None:
        from tui.formatting.created_lines import created_lines

        try:
            made = new_project.create(self.draft, self.counted, self.checked)
        except Cancelled:
            self.post_message(self.Made(None, "cancelled; nothing was made"))
        except BadInput as error:
            self.post_message(self.Made(None, str(error)))
        except Exception as error:
            self.post_message(self.Made(None, describe_error(error)))
        else:
            folder = made.project.folder
            trouble = self.start(folder) if run and not self.cancelled else None
            self.post_message(self.Made(folder, trouble, tuple(created_lines(made))))

    def counted(self, records: int) -> None:
        self.advance(f"reading records ... {text.number(records)}")

    def checked(self, images: int, records: int) -> None:
        of = f" of {text.number(records)}" if self.draft.check_images else ""
        self.advance(f"opening images ... {text.number(images)}{of} (esc cancels)")

    def advance(self, said: str) -> None:
        """Called in the thread that makes the project. Raises `Cancelled`."""
        if self.cancelled:
            raise Cancelled
        if time.monotonic() >= self.next_word:
            self.next_word = time.monotonic() + WORD_SECONDS
            self.post_message(self.Advanced(said))

    def start(self, folder: Path) -> str | None:
        try:
            actions.start(actions.open_project(folder), self.draft.devices)
        except Exception as error:
            return f"the project is made, but did not start: {describe_error(error)}"
        return None

    @on(Advanced)
    def advanced(self, event: Advanced) -> None:
        if self.making and not self.cancelled:
            self.say(event.said)

    @on(Made)
    def made(self, event: Made) -> None:
        self.set_making(False)
        said = [*event.minded, *filter(None, [event.trouble])]
        if event.folder is None:
            self.say("; ".join(said))
        elif said:
            self.say("")
            self.report(event.folder, said)
        else:
            self.dismiss(event.folder)

    def report(self, folder: Path, lines: list[str]) -> None:
        """What a person should know before the project is opened."""

        def answer(_: None) -> None:
            self.dismiss(folder)

        self.app.push_screen(Report("The project is made", lambda _: lines), answer)

    def on_unmount(self) -> None:
        self.cancelled = True
