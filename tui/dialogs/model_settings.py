from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from engine.captioners.registry import FAMILIES, Settings
from engine.utils.errors import BadInput
from tui.dialogs.deferred_dialog import DeferredDialog
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.widgets.path_complete import PathComplete

if TYPE_CHECKING:
    from engine.project.layout import Project
    from tui.session import Session
    from tui.viewmodel.snapshot import ModelProgress

PATHS = ("checkpoint", "tokenizer", "vision_tower")
KEPT = "They stay in captions/{} and count again when the settings are set back."
Changes = Mapping[str, str]


class Fields(Vertical):
    """A line a setting."""

    def __init__(self, values: Changes) -> None:
        super().__init__()
        self.values = values

    def compose(self) -> ComposeResult:
        for name, value in self.values.items():
            with Horizontal(classes="setting"):
                yield Label(name, classes="name")
                yield Input(value, id=f"set-{name}", compact=True, select_on_focus=False)
        for name in PATHS:
            if name in self.values:
                yield PathComplete(f"#set-{name}", folders=name != "tokenizer")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False


class ModelSettings(DeferredDialog["Changes | None"]):
    """How a model is asked, a line a setting; returns what is to be changed, as `set` takes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="settings.close"),
        Binding("ctrl+n", "save", "Save", tooltip="Save the changes", id="settings.save"),
    ]

    @dataclass
    class Checked(Message):
        changes: Changes
        anew: bool = False
        """Whether the model's tasks begin anew."""
        trouble: str | None = None

    def __init__(self, project: Project, progress: ModelProgress) -> None:
        super().__init__()
        self.project = project
        self.model = model = progress.row
        self.captioned = progress.captioned
        family = FAMILIES[model.family]
        settings = asdict(Settings.of(model.settings))
        known = {name: said(settings[name]) for name in family.settings}
        if settings["auto_batch"]:
            known["batch"] = "auto"
        place = {"checkpoint": model.checkpoint or ""} if family.checkpoint else {}
        self.values = place | known

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", can_focus=False) as dialog:
            dialog.border_title = Content(f"Settings of {text.visible(self.model.name)}")
            dialog.border_subtitle = "tab moves, ctrl+n saves, esc closes"
            yield Static(
                "All but batch, graphs, overlap begin tasks anew; captions stay.",
                markup=False,
                classes="muted",
            )
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Save", id="save", variant="primary", compact=True)

    async def fill(self) -> None:
        await self.query_one(".dialog").mount(Fields(self.values), before=0)

    def first(self) -> Widget:
        return self.query(Input).first()

    def on_mount(self) -> None:
        self.query_one("#save").disabled = True

    def changes(self) -> dict[str, str]:
        fields = ((name, self.query_one(f"#set-{name}", Input).value) for name in self.values)
        return {name: value for name, value in fields if value != self.values[name]}

    @on(Input.Changed)
    def look(self) -> None:
        why = self.why_not("save")
        self.query_one("#save").disabled = why is not None
        self.say(why or "")

    def why_not(self, action: str) -> str | None:
        if action != "save":
            return None
        return cast("Session", self.app).why_no_change() or (
            None if self.changes() else "nothing is changed"
        )

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    def action_save(self) -> None:
        if self.why_not("save") is None:
            self.check(self.changes())

    @work(thread=True, group="check", exclusive=True, exit_on_error=False)
    def check(self, changes: Changes) -> None:
        from engine.requests.models import check

        try:
            checked = self.Checked(changes, check(self.project, self.model.name, changes))
        except BadInput as error:
            checked = self.Checked(changes, trouble=str(error))
        except Exception as error:
            checked = self.Checked(changes, trouble=describe_error(error))
        self.post_message(checked)

    @on(Checked)
    def was_checked(self, event: ModelSettings.Checked) -> None:
        from tui.dialogs.confirm import Confirm

        def answer(yes: bool | None) -> None:
            if yes:
                self.dismiss(event.changes)

        if event.trouble is not None:
            self.say(event.trouble, bad=True)
        elif event.anew and self.captioned:
            counted = text.plural(self.captioned, "caption")
            name = text.visible(self.model.name)
            question = f"Begin anew with {name}, which has {counted}?"
            self.app.push_screen(Confirm(question, KEPT.format(self.model.folder)), answer)
        else:
            answer(True)

    def say(self, sentence: str, bad: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(text.visible(sentence))
        line.set_class(bad, "error")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        self.leave(None)


def said(value: Any) -> str:
    """A setting as `set` reads it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
