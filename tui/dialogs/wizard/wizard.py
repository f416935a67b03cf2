"""The wizard that makes a new project, page by page."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, ContentSwitcher, Input, Static

from engine.utils.errors import BadInput
from tui.dialogs.confirm import Confirm, close_or_ask
from tui.dialogs.deferred_dialog import DeferredDialog
from tui.dialogs.report import Report
from tui.dialogs.wizard.devices import DevicesStep
from tui.dialogs.wizard.models import ModelsStep
from tui.dialogs.wizard.prompts import PromptsStep
from tui.dialogs.wizard.review import ReviewStep, new_command
from tui.dialogs.wizard.source import SourceStep
from tui.dialogs.wizard.step import WizardStep
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.session.feedback import copy
from tui.session.session import Session
from tui.terminal.graphics import ImageSupport
from tui.viewmodel import actions, new_project
from tui.viewmodel.new_project import ProjectDraft
from tui.widgets.checkbox import BracketCheckbox
from tui.widgets.preview import PreviewScreen

if TYPE_CHECKING:
    from engine.operations.pilot import PilotFindings, PilotPlan
    from engine.project.layout import Project
    from tui.dialogs.pilot import PilotOutcome

PROGRESS_SECONDS = 0.1
"""Seconds between two reports of progress."""
WITHOUT_ORIGINALS = "The models caption all images; exports lack the originals that are missing."
"""What follows from going on although captions are missing."""
NAMED = 66
"""Cells of a terminal in which all pages are named; in a smaller one, only the page in front is."""
END_BUTTONS = ("pilot", "create", "run")
"""The ids of the buttons that only the last page has."""
STEPS = (SourceStep, ModelsStep, DevicesStep, PromptsStep, ReviewStep)


class CreationCancelled(Exception):
    """Raised in the thread that makes the project once the user has cancelled."""


class Wizard(PreviewScreen[Path | None], DeferredDialog[Path | None]):
    """A dialog of five pages that makes a project; returns the project's folder."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "step(1)", "Next", id="wizard.next"),
        Binding("escape", "step(-1)", "Back", tooltip="Back, or close", id="wizard.back"),
        Binding("ctrl+y", "copy", "Copy", tooltip="Copy the command", id="wizard.copy"),
        Binding("question_mark,f1", "help", "Help", tooltip="What the keys do", id="wizard.help"),
    ]
    HELP = (
        "The pages ask for the captions and images, the models, the devices and the prompts. The"
        " last page shows what the project will be, and the command that makes the same project."
        " What you enter is checked at once, and nothing is written before you press Create. In a"
        " field, ? is a character like any other: press f1 there."
    )

    @dataclass
    class CreationProgressed(Message):
        """More of the input was read, or more images were opened."""

        text: str

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Wizard.CreationProgressed)

    @dataclass
    class CreationEnded(Message):
        """The project was made, or was not: then `folder` is None, and `error` says why."""

        folder: Path | None
        error: str | None = None
        warnings: tuple[str, ...] = ()
        """The warnings that the command `new` would print."""

    def __init__(self, image_support: ImageSupport) -> None:
        super().__init__()
        self.image_support = image_support
        self.draft = ProjectDraft()
        self.steps = tuple(step(self.draft) for step in STEPS)
        for step in self.steps:
            step.image_support = image_support
        self.step_index = 0
        """The index of the page in front."""
        self.answered: set[tuple[str, str]] = set()
        """The questions that were answered with yes, each after the captions that it is about."""
        self.next_when_checked = False
        """True if the next page is to be shown once what is entered was checked and is good."""
        self.findings: PilotFindings | None = None
        """What the last pilot showed, which the project keeps once it is made."""
        self.creating = False
        """True while a thread makes the project."""
        self.cancelled = False
        """True once the thread should stop."""
        self.next_progress = 0.0
        """The earliest time of the next report of progress, on the monotonic clock."""

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

    async def mount_fields(self) -> None:
        await self.show_step()

    def first_field(self) -> Widget:
        return self.step.query("Input, BracketCheckbox").first()

    @property
    def step(self) -> WizardStep:
        """The page in front."""
        return self.steps[self.step_index]

    @property
    def has_entries(self) -> bool:
        """True if captions are named: closing would lose that and all pages after it."""
        return self.is_filled and bool(self.query_one("#captions", Input).value.strip())

    async def show_step(self) -> None:
        """Show the page in front, and mount it when it is shown first."""
        named = self.app.size.width >= NAMED
        names = [
            Content.styled(f"[{n} {step.NAME}]", "bold")
            if n - 1 == self.step_index
            else Content.styled(f" {n} {step.NAME if named else ''} ", "$foreground-muted")
            for n, step in enumerate(STEPS, 1)
        ]
        self.query_one("#steps", Static).update(Content("").join(names))
        last = self.step_index == len(STEPS) - 1
        self.query_one("#next").display = not last
        for name in END_BUTTONS:
            self.query_one(f"#{name}").display = last
        keys = "ctrl+y copies the command" if last else "ctrl+n next"
        if self.step.PATHS:
            keys = f"enter completes a path, tab next field, {keys}"
        self.query_one(".dialog").border_subtitle = f"{keys}, esc back, f1 help"
        step, pages = self.step, self.query_one(ContentSwitcher)
        if not step.is_attached:  # mounting all pages at once would hold the loop too long
            await pages.add_content(step)
        pages.current = step.id
        await step.enter()
        if self.is_filled:  # before that, `replay_keys` sets it
            self.set_focus(self.first_field())
        self.update_buttons()

    @on(Input.Changed)
    @on(BracketCheckbox.Changed)
    def field_changed(self) -> None:
        self.next_when_checked = False

    @on(WizardStep.Changed)
    async def step_changed(self) -> None:
        self.update_buttons()
        if self.next_when_checked and not self.step.checking:
            await self.action_step(1)

    def update_buttons(self) -> None:
        """Enable the buttons, or show why the user cannot go on."""
        reason = self.step.why_not()
        self.query_one("#next").disabled = reason is not None
        for name in END_BUTTONS:
            self.query_one(f"#{name}").disabled = self.creating or reason is not None
        if not self.creating:
            self.show_message(self.step.complaint() or "")

    def show_message(self, message: str) -> None:
        self.query_one("#why-not", Static).update(text.visible(message))

    @on(Button.Pressed, "#next")
    async def next(self) -> None:
        await self.action_step(1)

    @on(Button.Pressed, "#back")
    async def back(self) -> None:
        await self.action_step(-1)

    async def action_step(self, by: int) -> None:
        if self.creating and by < 0:
            self.cancelled = True
            self.show_message("cancelling ...")
        if self.creating or (not self.is_filled and by > 0):
            return
        reason = self.step.why_not()
        self.next_when_checked = by > 0 and reason is not None and self.step.checking
        if by > 0 and reason is not None:
            self.show_message(reason)
            return
        question = self.step.question() if by > 0 else None
        if question is not None and (self.draft.captions, question) not in self.answered:
            self.ask(question)
        elif self.step_index + by < 0:
            close_or_ask(self.app, self.has_entries, lambda: self.dismiss_when_filled(None))
        elif self.step_index + by < len(STEPS):
            self.step_index += by
            await self.show_step()

    def ask(self, question: str) -> None:
        """Ask before the next page. Who has said yes is not asked the same again."""

        async def answer(yes: bool | None) -> None:
            if yes:
                self.answered.add((self.draft.captions, question))
                await self.action_step(1)

        self.app.push_screen(Confirm(question, WITHOUT_ORIGINALS), answer)

    async def action_help(self) -> None:
        if self.is_filled:  # before that, the key belongs to the first field
            await self.run_action("app.open('help')")

    def action_copy(self) -> None:
        if isinstance(self.step, ReviewStep):
            copy(self.app, new_command(self.draft))

    # Creating the project

    @on(Button.Pressed, "#pilot")
    def open_pilot(self) -> None:
        from tui.dialogs.pilot import Pilot

        # Of no project: the one that may be open is another one.
        session = Session(image_support=self.image_support)
        self.app.push_screen(Pilot(self.plan_pilot, session), self.pilot_closed)

    def plan_pilot(self) -> PilotPlan:
        """Return the plan of a pilot, with the ratings of the one before. Raises `BadInput`."""
        from engine.operations.pilot import PILOT_IMAGES
        from engine.operations.pilot_ratings import ratings_for

        plan = self.draft.plan(PILOT_IMAGES)
        return replace(plan, ratings=ratings_for(plan, self.findings))

    def pilot_closed(self, outcome: PilotOutcome | None) -> None:
        if outcome is None:
            return
        self.findings = outcome.findings or self.findings
        self.query_one(ReviewStep).time_estimate = outcome.time
        self.query_one(ReviewStep).show_summary()
        if outcome.go:
            self.start_creation(run=True)

    @on(Button.Pressed, "#create")
    def create(self) -> None:
        self.start_creation(run=False)

    @on(Button.Pressed, "#run")
    def create_and_run(self) -> None:
        self.start_creation(run=True)

    def start_creation(self, run: bool) -> None:
        """Start making the project; with `run`, also start captioning it."""
        if not self.creating:
            self.cancelled = False
            self.set_creating(True)
            self.show_message("reading records ...")
            self.create_project(run)

    def set_creating(self, creating: bool) -> None:
        self.creating = creating
        self.query_one("#back", Button).label = "Cancel" if creating else "Back"
        for name in END_BUTTONS:
            self.query_one(f"#{name}").disabled = creating

    @work(thread=True, group="create", exit_on_error=False)
    def create_project(self, run: bool) -> None:
        from tui.formatting.created_lines import created_lines

        try:
            created = new_project.create(
                self.draft, self.report_records, self.report_images, self.report_imports
            )
        except CreationCancelled:
            self.post_message(self.CreationEnded(None, "cancelled; nothing was made"))
        except BadInput as error:
            self.post_message(self.CreationEnded(None, str(error)))
        except Exception as error:
            self.post_message(self.CreationEnded(None, describe_error(error)))
        else:
            folder = created.project.folder
            lost = self.keep_pilot(created.project)
            problem = self.start_run(folder) if run and not self.cancelled else None
            imported = [line for result in created.imports for line in result.lines()]
            warnings = (*imported, *created_lines(created), *lost)
            self.post_message(self.CreationEnded(folder, problem, warnings))

    def keep_pilot(self, project: Project) -> list[str]:
        """Give the project what the last pilot showed; return what is to be said of it.

        Called in the thread that makes the project.
        """
        if self.findings is None:
            return []
        try:
            actions.keep_pilot(project, self.findings)
            lost = actions.keep_pilot_ratings(project, self.findings)
        except Exception as error:  # the project is made all the same
            return [f"the project does not keep what the pilot showed: {describe_error(error)}"]
        if not lost:
            return []
        ratings = text.plural(lost, "rating")
        return [f"{ratings} of the pilot not kept: the model or the records were changed since"]

    def report_records(self, records: int) -> None:
        self.report_progress(f"reading records ... {text.number(records)}")

    def report_images(self, images: int, records: int) -> None:
        of = f" of {text.number(records)}" if self.draft.check_images else ""
        self.report_progress(f"opening images ... {text.number(images)}{of} (esc cancels)")

    def report_imports(self, captions: int) -> None:
        self.report_progress(f"importing captions ... {text.number(captions)} (esc cancels)")

    def report_progress(self, message: str) -> None:
        """Show a text, unless another was shown just now. Raises `CreationCancelled`.

        Called in the thread that makes the project.
        """
        if self.cancelled:
            raise CreationCancelled
        if time.monotonic() >= self.next_progress:
            self.next_progress = time.monotonic() + PROGRESS_SECONDS
            self.post_message(self.CreationProgressed(message))

    def start_run(self, folder: Path) -> str | None:
        """Start a run of the new project. Return why it did not start, None if it did."""
        try:
            actions.start(actions.open_project(folder), self.draft.devices)
        except Exception as error:
            return f"the project is made, but its run did not start: {describe_error(error)}"
        return None

    @on(CreationProgressed)
    def creation_progressed(self, event: CreationProgressed) -> None:
        if self.creating and not self.cancelled:
            self.show_message(event.text)

    @on(CreationEnded)
    def creation_ended(self, event: CreationEnded) -> None:
        self.set_creating(False)
        lines = [*event.warnings, *filter(None, [event.error])]
        if event.folder is None:
            self.show_message("; ".join(lines))
        elif lines:
            self.show_message("")
            self.show_report(event.folder, lines)
        else:
            self.dismiss(event.folder)

    def show_report(self, folder: Path, lines: list[str]) -> None:
        """Show what the user should know, and open the project when that is closed."""

        def answer(_: None) -> None:
            self.dismiss(folder)

        self.app.push_screen(Report("The project is made", lambda _: lines), answer)

    def on_unmount(self) -> None:
        self.cancelled = True
