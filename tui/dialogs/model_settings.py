"""The dialog that changes a model's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from engine.captioners.setting_changes import CHOICES
from engine.captioners.settings_hash import UNHASHED
from engine.utils.errors import BadInput
from tui.dialogs.confirm import Confirm, close_or_ask
from tui.dialogs.deferred_dialog import DeferredDialog
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.keys import conditions
from tui.keys.action import Action
from tui.session.session import Session
from tui.threads.page_loader import PageLoader
from tui.viewmodel import pages
from tui.viewmodel.setting_help import help_lines, setting_values
from tui.widgets.choice import Choice
from tui.widgets.filter_fields import field_row
from tui.widgets.path_complete import PathComplete

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import ModelProgress

PATH_SETTINGS = ("checkpoint", "tokenizer", "vision_tower", "adapter")
"""Settings that are paths: their fields offer completions."""
SettingChanges = Mapping[str, str]
"""Values by the name of the setting, as texts that the command `set` takes."""


class SettingFields(Vertical):
    """One line per setting: its name and a field with its value."""

    def __init__(self, values: SettingChanges) -> None:
        super().__init__()
        self.values = values

    def compose(self) -> ComposeResult:
        for name, value in self.values.items():
            choices = CHOICES.get(name, ())
            field: Widget = Input(value, id=f"set-{name}", compact=True, select_on_focus=False)
            if value in choices:
                pairs = ((choice, choice) for choice in choices)
                field = Choice(
                    pairs, value=value, allow_blank=False, id=f"set-{name}", compact=True
                )
            yield field_row(name, field)
        for name in PATH_SETTINGS:
            if name in self.values:
                yield PathComplete(f"#set-{name}", folders_only=name != "tokenizer")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False


@dataclass(frozen=True)
class FormState:
    """What decides whether the form can be saved."""

    session: Session
    changed: bool
    """True if any value differs from the present one."""


def no_run(state: FormState) -> str | None:
    return conditions.no_run(state.session)


def a_change(state: FormState) -> str | None:
    return None if state.changed else "nothing is changed"


SAVE = Action[FormState](
    "ctrl+n",
    "save",
    "Save",
    tooltip="Save the changes",
    id="settings.save",
    changes_run=True,
    needs=(no_run, a_change),
)


class ModelSettings(DeferredDialog["SettingChanges | None"]):
    """A form of a model's checkpoint and settings; returns the changes once they are checked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="settings.close"),
        SAVE,
    ]

    @dataclass
    class ChangesChecked(Message):
        """The changes were checked; `error` says why they cannot be made, if so."""

        changes: SettingChanges
        restarts_tasks: bool = False
        """True if the model's tasks begin anew with these changes."""
        error: str | None = None

    def __init__(
        self, session: Session, project: Project, progress: ModelProgress, setting: str = ""
    ) -> None:
        """`setting` is the one that has the focus first; empty for the first one."""
        super().__init__()
        self.progress = progress
        self.setting = setting
        self.seconds: dict[int, float] = {}
        """How many seconds a device takes for an image, by model id, once that is read."""
        self.speeds = PageLoader(
            self, partial(pages.read_seconds_per_image, project), self.show_speeds
        )
        self.session = session
        self.project = project
        self.model = model = progress.row
        self.captioned = progress.captioned
        self.is_scorer = progress.is_scorer
        self.values = setting_values(model)
        """The settings as they are now, by name."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Content(f"Settings of {text.visible(self.model.name)}")
            dialog.border_subtitle = "tab moves, ctrl+n saves, esc closes"
            yield VerticalScroll(id="fields", can_focus=False)
            yield Static(id="help", markup=False, classes="muted")
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Save", id="save", variant="primary", compact=True)

    async def mount_fields(self) -> None:
        await self.query_one("#fields").mount(SettingFields(self.values))

    def first_field(self) -> Widget:
        name = self.setting if self.setting in self.values else next(iter(self.values))
        return self.query_one(f"#set-{name}")

    def on_mount(self) -> None:
        self.query_one("#save").disabled = True
        self.speeds.load(None)

    def show_speeds(self, _: None, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.show_help()

    @on(DescendantFocus)
    def show_help(self) -> None:
        """Show what the setting means that has the focus, and what follows from a change."""
        name = str(self.focused.id if self.focused else "").removeprefix("set-")
        if name in self.values:
            self.query_one("#help", Static).update("\n".join(self.help_lines(name)))

    def help_lines(self, name: str) -> list[str]:
        """Return what a setting means, what a change does, and what it can be."""
        snapshot = self.session.snapshot
        devices = len(snapshot.devices) if snapshot is not None else 1
        return help_lines(self.progress, name, self.seconds, devices)

    def changes(self) -> dict[str, str]:
        """Return the entered values that differ from the present ones."""
        fields = ((name, self.entered(name)) for name in self.values)
        return {name: value for name, value in fields if value != self.values[name]}

    def entered(self, name: str) -> str:
        field = self.query_one(f"#set-{name}")
        return str(field.value) if isinstance(field, Input | Select) else ""

    @on(Select.Changed)
    @on(Input.Changed)
    def update_state(self) -> None:
        """Enable the button, or show why nothing can be saved."""
        reason = self.why_not_save()
        self.query_one("#save").disabled = reason is not None
        self.show_message(reason or "")

    def why_not_save(self) -> str | None:
        """Return why nothing can be saved now, None if it can."""
        state = FormState(self.session, changed=bool(self.changes()))
        return SAVE.why_not(state, self.session.readonly)

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    def action_save(self) -> None:
        if self.why_not_save() is None:
            self.check(self.changes())

    @work(thread=True, group="check", exclusive=True, exit_on_error=False)
    def check(self, changes: SettingChanges) -> None:
        from engine.requests.models import restarts_tasks

        try:
            restarts = restarts_tasks(self.project, self.model.name, changes)
            checked = self.ChangesChecked(changes, restarts)
        except BadInput as error:
            checked = self.ChangesChecked(changes, error=str(error))
        except Exception as error:
            checked = self.ChangesChecked(changes, error=describe_error(error))
        self.post_message(checked)

    @on(ChangesChecked)
    def changes_checked(self, event: ModelSettings.ChangesChecked) -> None:
        def answer(yes: bool | None) -> None:
            if yes:
                self.dismiss(event.changes)

        if event.error is not None:
            self.show_message(event.error, is_error=True)
        elif event.restarts_tasks and self.captioned:
            captions = text.plural(self.captioned, "scored image" if self.is_scorer else "caption")
            name = text.visible(self.model.name)
            question = f"Start over with {name}, which has {captions}?"
            changed = next(name for name in event.changes if name not in UNHASHED)
            self.app.push_screen(Confirm(question, self.help_lines(changed)[1]), answer)
        else:
            answer(True)

    def show_message(self, sentence: str, is_error: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(text.visible(sentence))
        line.set_class(is_error, "error")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        changed = self.is_filled and bool(self.changes())
        close_or_ask(self.app, changed, lambda: self.dismiss_when_filled(None))
