"""The wizard's Prompts page: how the models are asked, and what becomes of their captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static

from db.rows import SHEAR_MODES
from engine.operations.caption_health import bad_news_of_caption
from engine.operations.tryout import Tryout, TryoutFailed
from engine.shearing.shear import Shearing, shear
from engine.utils.errors import BadInput
from tui.dialogs.wizard.asked_fields import AskedFields
from tui.dialogs.wizard.step import WizardStep
from tui.formatting.text import describe_error
from tui.viewmodel.new_project import ProjectDraft
from tui.widgets.preview import Preview

if TYPE_CHECKING:
    from engine.operations.tryout import TryoutEvent, TryoutJob

TRY_LABEL = "Try on this image"
"""The label of the button that tries the models, while none is tried."""


class PromptsStep(WizardStep):
    """The page for prompts, sampling and shearing, which are tried on one of the first images."""

    NAME = "Prompts"

    @dataclass
    class TrialEventReceived(Message):
        """A model loads, captioned the image, or failed at it."""

        model: str
        tryout_event: TryoutEvent

    @dataclass
    class TrialEnded(Message):
        """All models are through, or the trial was cancelled or failed with `error`."""

        error: str | None = None

    def __init__(self, draft: ProjectDraft) -> None:
        super().__init__(draft)
        self.tryout: Tryout | None = None
        """The process of the model that is being tried; None while none is."""
        self.jobs: dict[str, TryoutJob] = {}
        """The job of each model that is tried, by its name."""
        self.image_index = 0
        """The index of the record whose image is shown and tried."""
        self.models: tuple[str, ...] = ()
        """The models whose fields are shown."""
        self.result_lines: list[str] = []
        """The captions of the last trial."""

    def compose(self) -> ComposeResult:
        yield Vertical(id="prompts")
        yield Label(f"Shearing: {', '.join(SHEAR_MODES)}", classes="field")
        yield Input(self.draft.mode, id="mode-of-shearing", compact=True)
        yield Label("Max. words", classes="field")
        yield Input(placeholder="no limit", id="words", type="integer", compact=True)
        with Horizontal(classes="buttons"):
            yield Button(TRY_LABEL, id="try", compact=True)
            yield Button("Previous", id="previous-image", compact=True)
            yield Button("Next", id="next-image", compact=True)
        with Horizontal(id="trial"):
            yield Preview(self.find_image, self.image_support)
            yield Static(id="tried", markup=False, classes="seen")

    async def enter(self) -> None:
        self.show_image(self.image_index)
        if self.models != tuple(self.draft.models):
            self.models = tuple(self.draft.models)
            await self.mount_model_fields()

    async def mount_model_fields(self) -> None:
        """Mount the fields of each model that is asked in some way."""
        box = self.query_one("#prompts")
        await box.remove_children()
        for number, name in enumerate(self.models):
            asked = self.draft.asked_of(name)
            if asked.preset_values:
                await box.mount(AskedFields(asked, number))

    @on(Input.Changed)
    @on(Select.Changed)
    def changed(self) -> None:
        mode = self.query_one("#mode-of-shearing", Input).value.strip()
        if mode in SHEAR_MODES:
            self.draft.mode = SHEAR_MODES[SHEAR_MODES.index(mode)]
        max_words = self.query_one("#words", Input).value.strip()
        self.draft.max_words = int(max_words) if max_words.isdecimal() and int(max_words) else None
        self.post_message(self.Changed())

    def why_not(self) -> str | None:
        mode = self.query_one("#mode-of-shearing", Input).value.strip()
        if mode not in SHEAR_MODES:
            return f"no such shearing method: one of {', '.join(SHEAR_MODES)}"
        max_words = self.query_one("#words", Input).value.strip()
        if max_words and not (max_words.isdecimal() and int(max_words)):
            return "max. words: write a number, or nothing"
        problems = (self.draft.asked_of(name).problem() for name in self.models)
        return next(filter(None, problems), None)

    # The trial on one image

    def find_image(self, image: str) -> str:
        """Return the path of an image. Raises `ImageProblem`. Called in a thread."""
        if self.draft.preview is None:
            raise ValueError("no image is shown before the source is read")
        return self.draft.preview.paths.resolve(image)

    def show_image(self, index: int) -> None:
        """Show the image of a record; after the last one the first."""
        preview, records = (
            self.query_one(Preview),
            self.draft.preview and self.draft.preview.records,
        )
        if not records:
            preview.show_no_image("the source has no record")
            return
        self.image_index = index % len(records)
        preview.show(records[self.image_index].image)

    @on(Button.Pressed, "#next-image")
    def show_next_image(self) -> None:
        self.step_image(1)

    @on(Button.Pressed, "#previous-image")
    def show_previous_image(self) -> None:
        self.step_image(-1)

    @on(Preview.Stepped)
    def stepped(self, event: Preview.Stepped) -> None:
        self.step_image(event.by)

    def step_image(self, by: int) -> None:
        """Show another image, for which there is no result yet; not while models are tried."""
        if self.tryout is None:
            self.show_image(self.image_index + by)
            self.show_message("#tried", "")

    @on(Button.Pressed, "#try")
    def start_or_cancel_trial(self) -> None:
        if self.tryout is not None:
            self.tryout.cancel()
            return
        self.result_lines = []
        self.show_buttons(trying=True)
        self.show_message("#tried", "starting ...")
        self.run_trial()

    def show_buttons(self, trying: bool) -> None:
        """Show what the buttons do now; while models are tried, the image stays."""
        button = self.query_one("#try", Button)
        button.label = "Cancel" if trying else TRY_LABEL
        button.refresh(layout=True)
        for step in self.query("#previous-image, #next-image"):
            step.disabled = trying

    @work(thread=True, group="tryout", exclusive=True, exit_on_error=False)
    def run_trial(self) -> None:
        """Caption the first image with every model in turn."""
        try:
            self.jobs = dict(self.draft.plan(1, self.image_index).jobs)
            for name, job in self.jobs.items():
                self.tryout = Tryout(job)
                for tryout_event in self.tryout:
                    self.post_message(self.TrialEventReceived(name, tryout_event))
                if self.tryout.cancelled:
                    break
            self.post_message(self.TrialEnded())
        except (BadInput, TryoutFailed) as error:
            self.post_message(self.TrialEnded(str(error)))
        except Exception as error:
            self.post_message(self.TrialEnded(describe_error(error)))

    @on(TrialEventReceived)
    def trial_event_received(self, event: PromptsStep.TrialEventReceived) -> None:
        tryout_event = event.tryout_event
        if tryout_event.asked is not None:
            self.result_lines.append(f"{event.model}: {tryout_event.asked}")
        elif tryout_event.raw is not None:
            shearing = Shearing(self.draft.mode, self.draft.max_words)
            sheared = shear(tryout_event.raw, event.model, shearing, tryout_event.finish)
            self.result_lines.append(f"{event.model}: {tryout_event.raw}")
            self.result_lines.append(f"  sheared: {sheared.text}")
            job = self.jobs[event.model]
            news = bad_news_of_caption(
                job.family, job.settings, tryout_event.raw, tryout_event.finish, shearing
            )
            self.result_lines += [f"  CHECK {line}" for line in news]
        elif tryout_event.error is not None:
            self.result_lines.append(f"{event.model}: {tryout_event.error}")
        loading = [f"{event.model}: {tryout_event.loading} ..."] if tryout_event.loading else []
        self.show_message("#tried", "\n".join([*self.result_lines, *loading]))

    @on(TrialEnded)
    def trial_ended(self, event: PromptsStep.TrialEnded) -> None:
        self.tryout = None
        self.show_buttons(trying=False)
        if event.error:
            self.show_message("#tried", event.error, is_error=True)

    def on_unmount(self) -> None:
        if self.tryout is not None:
            self.tryout.cancel()
