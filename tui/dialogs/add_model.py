"""The dialog that adds a model to the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static

from engine.captioners.address import is_address
from engine.captioners.registry import FAMILIES, OFFICIAL, PAPER
from engine.utils.errors import BadInput
from tui.dialogs.confirm import close_or_ask
from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.widgets.choice import Choice
from tui.widgets.path_complete import PathComplete

if TYPE_CHECKING:
    from engine.captioners.registry import ModelChoice
    from engine.project.layout import Project


class AddModel(Dialog["ModelChoice | None"]):
    """A form for another model of the project; returns the model once its checkpoint is checked."""

    AUTO_FOCUS = "#family"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="add.close"),
        Binding("ctrl+n", "add", "Add", tooltip="Add the model", id="add.add"),
    ]

    @dataclass
    class ModelChecked(Message):
        """The entered model was checked; `choice` is None if it cannot be added."""

        choice: ModelChoice | None
        error: str = ""

    def __init__(self, project: Project, names_in_use: frozenset[str]) -> None:
        super().__init__()
        self.project = project
        self.names_in_use = names_in_use
        """The names of the models that the project has."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Add a model"
            dialog.border_subtitle = "ctrl+n adds, esc closes"
            families = ((name, name) for name in FAMILIES)
            unused = (name for name in FAMILIES if name not in self.names_in_use)
            proposed = next(unused, next(iter(FAMILIES)))
            yield Label("Model", classes="field")
            yield Choice(families, value=proposed, allow_blank=False, id="family", compact=True)
            yield Static(id="summary", markup=False, classes="muted")
            yield Label("Name in this project", classes="field")
            yield Input(id="name", compact=True)
            yield Label("Checkpoint folder", classes="field")
            yield Input(id="checkpoint", compact=True)
            yield Label("Preset", classes="field")
            presets = ((name, name) for name in (PAPER, OFFICIAL))
            yield Choice(presets, allow_blank=False, id="preset", compact=True)
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Add", id="add", variant="primary", compact=True)
        yield PathComplete("#checkpoint", folders_only=True)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False

    @property
    def family_name(self) -> str:
        return str(self.query_one("#family", Select).value)

    @on(Select.Changed, "#family")
    def family_changed(self) -> None:
        family = FAMILIES[self.family_name]
        field = self.query_one("#checkpoint", Input)
        field.disabled = family.checkpoint_form is None
        field.placeholder = family.checkpoint_form or "none needed"
        self.query_one("#summary", Static).update(family.summary)
        self.query_one("#name", Input).value = free_name(self.family_name, self.names_in_use)

    @on(Button.Pressed, "#add")
    @on(Input.Submitted)
    def action_add(self) -> None:
        path = self.query_one("#checkpoint", Input).value.strip()
        name = self.query_one("#name", Input).value.strip() or self.family_name
        argument = model_argument(name, self.family_name, path)
        self.check(argument, str(self.query_one("#preset", Select).value))

    @work(thread=True, group="check", exclusive=True, exit_on_error=False)
    def check(self, argument: str, preset: str) -> None:
        from engine.requests.models import choose_new

        try:
            self.post_message(self.ModelChecked(choose_new(self.project, argument, preset, {})))
        except BadInput as error:
            self.post_message(self.ModelChecked(None, str(error)))
        except Exception as error:
            self.post_message(self.ModelChecked(None, describe_error(error)))

    @on(ModelChecked)
    def model_checked(self, event: AddModel.ModelChecked) -> None:
        if event.choice is not None:
            self.dismiss(event.choice)
        else:
            line = self.query_one("#said", Static)
            line.update(text.visible(event.error))
            line.add_class("error")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        proposed = free_name(self.family_name, self.names_in_use)
        typed = self.query_one("#name", Input).value != proposed
        typed = typed or bool(self.query_one("#checkpoint", Input).value)
        close_or_ask(self.app, typed, lambda: self.dismiss(None))


def free_name(family: str, names_in_use: frozenset[str]) -> str:
    """Return the family's own name, or with the first number appended that makes it a new one."""
    names = (family, *(f"{family}-{number}" for number in range(2, len(names_in_use) + 2)))
    return next(name for name in names if name not in names_in_use)


def model_argument(name: str, family: str, checkpoint: str) -> str:
    """Return the model as `--model` takes it."""
    if name == family or is_address(checkpoint):
        return f"{name}={checkpoint}" if checkpoint else name
    return f"{name}={family}:{checkpoint}"
