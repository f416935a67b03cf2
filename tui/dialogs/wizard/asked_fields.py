"""The fields of the wizard's Prompts page for one model: how it is asked, and what serves it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Label, Select

from engine.captioners.registry import FAMILIES
from tui.formatting import text
from tui.viewmodel.asked_settings import AskedSettings
from tui.widgets.choice import Choice
from tui.widgets.path_complete import PathComplete

LABELS = {"temperature": "temperature", "top_p": "top p", "max_new_tokens": "token cap"}
"""The names of the short fields beside the prompt, by setting: two of them share a row."""
PROGRAMS = ("backend", "interpreter", "arguments")
"""The settings of a program that serves the model, each in a row of its own: they are long."""


class AskedFields(Vertical):
    """The fields; what is entered goes into `asked`."""

    def __init__(self, asked: AskedSettings, number: int) -> None:
        """`number` tells the ids of these fields from those of other models."""
        super().__init__()
        self.asked = asked
        self.number = number

    def compose(self) -> ComposeResult:
        family, values = self.asked.family, self.asked.values
        if "prompt" in values:
            yield Label(Content(f"{text.visible(family)}: prompt"), classes="field")
            yield Input(values["prompt"], id=self.id_of("prompt"), compact=True)
        presets = Choice(
            ((name, name) for name in FAMILIES[family].presets),
            value=self.asked.preset,
            allow_blank=False,
            id=self.id_of("preset"),
            compact=True,
        )
        fields: list[tuple[str, Widget]] = [("preset", presets)]
        for name, label in LABELS.items():
            if name in values:
                field = Input(values[name], id=self.id_of(name), compact=True)
                fields.append((label, field))
        for first in range(0, len(fields), 2):
            with Horizontal(classes="pair"):
                for label, widget in fields[first : first + 2]:
                    yield Horizontal(Label(label, classes="name"), widget, classes="setting")
        for name in PROGRAMS:
            if name in values:
                program = Input(values[name], id=self.id_of(name), compact=True)
                with Horizontal(classes="pair"):
                    yield Horizontal(Label(name, classes="name"), program, classes="setting")
        if "interpreter" in values:
            yield PathComplete(f"#{self.id_of('interpreter')}")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False

    def id_of(self, setting: str) -> str:
        return f"{setting}-{self.number}"

    @on(Input.Changed)
    def take_entries(self) -> None:
        """Take what all fields hold now."""
        for setting in self.asked.preset_values:
            value = self.field(setting).value
            self.asked.entered[setting] = value if setting == "prompt" else value.strip()

    def field(self, setting: str) -> Input:
        return self.query_one(f"#{self.id_of(setting)}", Input)

    @on(Select.Changed)
    def preset_chosen(self, event: Select.Changed) -> None:
        """Show the values of the preset, but where others were entered."""
        if event.value == self.asked.preset:
            return
        self.take_entries()
        self.asked.choose_preset(str(event.value))
        for setting, value in self.asked.values.items():
            self.field(setting).value = value
