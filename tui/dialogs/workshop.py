"""The prompt workshop: two prompts of a model side by side, on the same few images."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from engine.captioners.registry import Settings
from engine.operations.prompt_workshop import WORKSHOP_IMAGES
from tui.dialogs.confirm import Confirm, close_or_ask
from tui.dialogs.dialog import Dialog
from tui.dialogs.model_settings import SettingChanges
from tui.dialogs.rate import ask_rating
from tui.formatting import text
from tui.formatting.trial_content import caption_content, head_content
from tui.keys.action import ActionOwner
from tui.keys.workshop import TAKE, WORKSHOP_ACTIONS, WorkshopState
from tui.session.messages import ActionRequested
from tui.session.session import Session
from tui.threads.prompt_asker import PromptAsker, TrialAnswered, TrialBegun, TrialEnded
from tui.viewmodel import actions
from tui.widgets.preview import Preview, PreviewScreen

if TYPE_CHECKING:
    from db.rows import Rating
    from engine.operations.prompt_workshop import PromptTrial, PromptWorkshop
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import ModelProgress

CONSEQUENCE = "They stay in captions/{} and count again when the settings are changed back."
"""What becomes of captions of the prompt before; the placeholder is the model's folder."""
STALE = "of the previous prompt: enter tries this one"
"""What is said of captions whose prompt is not what is typed now."""
SIDES = ("a", "b")
"""The ids of the two prompts, which stand side by side."""


class Workshop(ActionOwner, PreviewScreen[SettingChanges | None], Dialog[SettingChanges | None]):
    """Two prompts and what a model says with each; returns the changes that take one of them."""

    AUTO_FOCUS = "#prompt-b"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", tooltip="End the model, close", id="workshop.close"),
        *WORKSHOP_ACTIONS,
        Binding("down,n,right_square_bracket", "image(1)", "Next image", id="workshop.next"),
        Binding("up,N,left_square_bracket", "image(-1)", "Previous image", id="workshop.last"),
        Binding("d", "diff", "Diff", tooltip="Toggle word differences", id="workshop.diff"),
        Binding(
            "Z", "enlarge", "Picture", tooltip="Picture on the whole screen", id="workshop.enlarge"
        ),
    ]

    def __init__(self, session: Session, project: Project, progress: ModelProgress) -> None:
        super().__init__()
        self.session = session
        self.project = project
        self.model = progress.row
        self.captioned = progress.captioned
        """Captions that the model has made with its own prompt."""
        self.own_prompt = Settings.of(self.model.settings).prompt_choices[0]
        self.preview = Preview(self.find_image, session.image_support, id="preview")
        self.asker = PromptAsker(self.open_workshop, self.post_message)
        self.side = "b"
        """The prompt that is typed, taken or rated now."""
        self.trials: dict[str, PromptTrial] = {}
        """The last trial of each side."""
        self.states: dict[str, str] = {}
        """What each side is doing, or why its trial failed."""
        self.done: set[str] = set()
        """The sides whose last trial has ended well."""
        self.note = ""
        """What people should know of the device."""
        self.image_index = 0
        self.diff = False
        """True if the words of B that differ from A are marked."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(f"Prompts of {text.visible(self.model.name)}")
            dialog.border_subtitle = "enter tries, up down next image, ctrl+n takes, esc closes"
            for side in SIDES:
                with Horizontal(classes="prompt"):
                    yield Label(f"{side.upper()} ", classes="side")
                    yield Input(
                        self.own_prompt, id=f"prompt-{side}", compact=True, select_on_focus=False
                    )
            yield Static(id="note", markup=False, classes="muted")
            with Horizontal(id="record"):
                yield self.preview
                for side in SIDES:
                    with VerticalScroll(id=f"side-{side}", classes="captions"):
                        yield Static(id=f"head-{side}", markup=False)
                        for i in range(WORKSHOP_IMAGES):
                            yield Static(id=f"caption-{side}-{i}", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Close", id="close", compact=True)
                yield Button("Take A", id="take-a", compact=True)
                yield Button("Take B", id="take-b", compact=True)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self.asker.start()
        self.ask("a")

    def open_workshop(self) -> PromptWorkshop:
        """Called in a thread. Raises `BadInput`."""
        from engine.operations.prompt_workshop import PromptWorkshop

        return PromptWorkshop(self.project, self.model.name)

    def prompt_of(self, side: str) -> str:
        """Return the prompt as it is typed now."""
        return self.query_one(f"#prompt-{side}", Input).value

    # Trying

    def ask(self, side: str) -> None:
        self.done.discard(side)
        self.states[side] = "starting ..."
        self.asker.ask(side, self.prompt_of(side))
        self.draw()

    @on(Input.Submitted)
    def try_prompt(self) -> None:
        self.ask(self.side)

    @on(TrialBegun)
    def trial_begun(self, event: TrialBegun) -> None:
        self.trials[event.side] = event.trial
        self.note = event.note
        self.draw()

    @on(TrialAnswered)
    def trial_answered(self, event: TrialAnswered) -> None:
        event.trial.findings.add_event(self.model.name, event.event)
        for side in SIDES:
            if self.trials.get(side) is event.trial:
                loading = event.event.loading
                self.states[side] = f"loading: {loading} ..." if loading else "captioning ..."
        self.draw()

    @on(TrialEnded)
    def trial_ended(self, event: TrialEnded) -> None:
        trial = self.trials.get(event.side)
        if event.error is not None:
            self.states[event.side] = f"FAIL {event.error}"
        elif trial is not None and trial.findings.rates:
            self.states[event.side] = ""
            self.done.add(event.side)
        else:
            self.states[event.side] = "cancelled; enter tries it again"
        self.draw()

    def on_unmount(self) -> None:
        self.asker.close()

    # What is shown

    @on(Input.Changed)
    def draw(self) -> None:
        """Show both sides, the picture, and what can be done."""
        for side in SIDES:
            self.draw_side(side)
            reason = self.why_not_take(side)
            button = self.query_one(f"#take-{side}", Button)
            button.disabled = reason is not None
            button.tooltip = reason
        own = "A is the model's own prompt." if self.is_own("a") else ""
        self.query_one("#note", Static).update(f"{own} {self.note}".strip())
        trial = next(iter(self.trials.values()), None)
        if trial is not None:
            records = trial.findings.plan.records
            self.image_index %= len(records)
            self.preview.show(records[self.image_index][0])
        self.refresh_bindings()

    def draw_side(self, side: str) -> None:
        """Show what a side is doing, what counts of its captions, and these, one an image."""
        trial, state = self.trials.get(side), self.states.get(side, "")
        stale = trial is not None and trial.prompt != self.prompt_of(side)
        remarks = [state or "enter tries it" * (trial is None), STALE * stale]
        head = self.query_one(f"#head-{side}", Static)
        head.update(head_content(trial, [it for it in remarks if it]))
        head.display = bool(head.content)
        count = len(trial.findings.plan.records) if trial is not None else 0
        first = self.trials.get("a") if self.diff and side == "b" else None
        for i in range(WORKSHOP_IMAGES):
            line = self.query_one(f"#caption-{side}-{i}", Static)
            line.display = i < count
            if trial is not None and i < count:
                line.update(caption_content(trial, i, i == self.image_index, first))

    def find_image(self, image: str) -> str:
        """Return the path of an image. Raises `ImageProblem`. Called in a thread."""
        trial = next(iter(self.trials.values()))
        return trial.job.paths.resolve(image)

    # Keys

    def on_descendant_focus(self) -> None:
        focused = self.focused.id if self.focused is not None else None
        for side in SIDES:
            if focused in (f"prompt-{side}", f"side-{side}"):
                self.side = side
        self.refresh_bindings()

    @on(Preview.Stepped)
    def stepped(self, event: Preview.Stepped) -> None:
        self.action_image(event.by)

    def action_image(self, by: int) -> None:
        self.image_index += by
        self.draw()
        for side in SIDES:
            chosen = self.query_one(f"#caption-{side}-{self.image_index}", Static)
            chosen.scroll_visible(animate=False)

    def action_diff(self) -> None:
        self.diff = not self.diff
        self.draw()

    def state_of(self, side: str) -> WorkshopState:
        trial, prompt = self.trials.get(side), self.prompt_of(side)
        return WorkshopState(
            session=self.session,
            tried=side in self.done and trial is not None and trial.prompt == prompt,
            is_new=not self.is_own(side),
            has_caption=trial is not None and bool(trial.findings.image(self.image_index).captions),
        )

    def action_state(self) -> WorkshopState:
        return self.state_of(self.side)

    def is_own(self, side: str) -> bool:
        """True if a side has the model's own prompt."""
        several = Settings.of(self.model.settings).prompts
        return not several and self.prompt_of(side) == self.own_prompt

    def why_not_take(self, side: str) -> str | None:
        return TAKE.why_not(self.state_of(side), self.session.readonly)

    @on(Button.Pressed, "#take-a")
    def take_a(self) -> None:
        self.side = "a"
        self.action_take()

    @on(Button.Pressed, "#take-b")
    def take_b(self) -> None:
        self.side = "b"
        self.action_take()

    def action_take(self) -> None:
        """Take the prompt of a side, after a question if captions are made again for it."""
        from engine.operations.prompt_workshop import prompt_changes

        trial = self.trials[self.side]
        changes = prompt_changes(self.model, trial.prompt)

        def answer(yes: bool | None) -> None:
            if yes:
                self.dismiss(changes)

        if self.captioned and trial.settings_hash != self.model.settings_hash:
            question = (
                f"Take this prompt, and have {text.plural(self.captioned, 'caption')} of"
                f" {text.visible(self.model.name)} made again?"
            )
            self.app.push_screen(Confirm(question, CONSEQUENCE.format(self.model.folder)), answer)
        else:
            answer(True)

    def action_rate(self, good: bool) -> None:
        trial, i = self.trials[self.side], self.image_index
        name = self.model.name

        def rate(rating: Rating | None) -> None:
            trial.findings.rate(name, i, rating)
            request = partial(
                actions.rate,
                keys=[(0, i)],
                model=name,
                rating=rating,
                settings_hash=trial.settings_hash,
            )
            self.app.post_message(ActionRequested(request))
            self.draw()

        whose = f"the caption of image {i + 1} with prompt {self.side.upper()}"
        ask_rating(self.app, good, whose, trial.rating(i), rate)

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        self.asker.cancel()
        typed = any(self.prompt_of(side) != self.own_prompt for side in SIDES)
        close_or_ask(self.app, typed, lambda: self.dismiss(None))
