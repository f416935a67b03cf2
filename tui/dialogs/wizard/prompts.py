from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Label, Static

from engine.captioners.registry import FAMILIES, Settings, whole_prompt
from engine.operations.tryout import Tryout, TryoutFailed
from engine.shearing.shear import Shearing, shear
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import Step
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.viewmodel.new_project import MODES

if TYPE_CHECKING:
    from engine.operations.tryout import TryoutEvent


class Prompts(Step):
    """What the models are asked and how their captions are sheared, tried on one picture."""

    NAME = "Prompts"

    @dataclass
    class Told(Message):
        model: str
        said: TryoutEvent

    @dataclass
    class Ended(Message):
        trouble: str | None = None

    tryout: Tryout | None = None
    models: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        yield Vertical(id="prompts")
        yield Label(f"Shearing: {', '.join(MODES)}", classes="field")
        yield Input(self.draft.mode, id="mode-of-shearing", compact=True)
        yield Label("At most this many words", classes="field")
        yield Input(placeholder="no limit", id="words", type="integer", compact=True)
        yield Button("Try on the first picture", id="try", compact=True)
        yield Static(id="tried", markup=False, classes="seen")

    async def enter(self) -> None:
        if self.models != tuple(self.draft.models):
            self.models = tuple(self.draft.models)
            await self.lay_out()

    async def lay_out(self) -> None:
        box = self.query_one("#prompts")
        await box.remove_children()
        for number, name in enumerate(self.models):
            preset = next(iter(FAMILIES[name].presets.values())).prompt
            prompt = self.draft.prompts.get(name, preset)
            field = Input(prompt, id=f"prompt-{number}", compact=True)
            field.cursor_blink = False
            if preset:
                label = Label(Content(f"{text.visible(name)}: prompt"), classes="field")
                await box.mount(label, field)

    @on(Input.Changed)
    def changed(self) -> None:
        for number, name in enumerate(self.models):
            for field in self.query(f"#prompt-{number}").results(Input):
                self.draft.prompts[name] = field.value
        mode = self.query_one("#mode-of-shearing", Input).value.strip()
        if mode in MODES:
            self.draft.mode = MODES[MODES.index(mode)]
        words = self.query_one("#words", Input).value.strip()
        self.draft.max_words = int(words) if words.isdecimal() and int(words) else None
        self.post_message(self.Changed())

    def why_not(self) -> str | None:
        mode = self.query_one("#mode-of-shearing", Input).value.strip()
        if mode not in MODES:
            return f"no such way of shearing: one of {', '.join(MODES)}"
        words = self.query_one("#words", Input).value.strip()
        if words and not (words.isdecimal() and int(words)):
            return "at most how many words? A number, or nothing"
        return next(filter(None, map(self.wrong_prompt, self.models)), None)

    def wrong_prompt(self, name: str) -> str | None:
        prompt = self.draft.prompts.get(name)
        if prompt is None:
            return None
        try:
            whole_prompt(FAMILIES[name], Settings(prompt=prompt))
        except BadInput as error:
            return f"{name}: {error}"
        return None

    # One picture

    @on(Button.Pressed, "#try")
    def pressed(self) -> None:
        if self.tryout is not None:
            self.tryout.cancel()
            return
        self.told: list[str] = []
        self.label("Cancel")
        self.say("#tried", "starting ...")
        self.attempt()

    def label(self, label: str) -> None:
        button = self.query_one("#try", Button)
        button.label = label
        button.refresh(layout=True)

    @work(thread=True, group="tryout", exclusive=True, exit_on_error=False)
    def attempt(self) -> None:
        try:
            for name, job in self.draft.plan(1).jobs:
                self.tryout = Tryout(job)
                for said in self.tryout:
                    self.post_message(self.Told(name, said))
                if self.tryout.cancelled:
                    break
            self.post_message(self.Ended())
        except (BadInput, TryoutFailed) as error:
            self.post_message(self.Ended(str(error)))
        except Exception as error:
            self.post_message(self.Ended(describe_error(error)))

    @on(Told)
    def was_told(self, event: Prompts.Told) -> None:
        said = event.said
        if said.raw is not None:
            shearing = Shearing(self.draft.mode, self.draft.max_words)
            kept = shear(said.raw, event.model, shearing, said.finish)
            self.told += [f"{event.model}: {said.raw}", f"  sheared: {kept.text}"]
        elif said.error is not None:
            self.told.append(f"{event.model}: {said.error}")
        now = [f"{event.model}: {said.loading} ..."] if said.loading else []
        self.say("#tried", "\n".join([*self.told, *now]))

    @on(Ended)
    def was_ended(self, event: Prompts.Ended) -> None:
        self.tryout = None
        self.label("Try on the first picture")
        if event.trouble:
            self.say("#tried", event.trouble, bad=True)

    def on_unmount(self) -> None:
        if self.tryout is not None:
            self.tryout.cancel()
