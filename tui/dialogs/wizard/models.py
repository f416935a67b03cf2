from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from engine.captioners.registry import FAMILIES, Family, check_checkpoint
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import Step
from tui.widgets.checkbox import Tick

Chosen = Mapping[str, str]


class Models(Step):
    """Which families caption, and whether their checkpoints are whole.

    A line a family; one that is chosen asks for its checkpoint below it.
    """

    NAME = "Models"
    PATHS = tuple(f"path-{n}" for n, each in enumerate(FAMILIES.values()) if each.checkpoint)
    FOLDERS = PATHS

    @dataclass
    class Checked(Message):
        chosen: Chosen
        found: Mapping[str, str | None]
        """What is wrong with each, None if nothing is."""

    checked: Models.Checked | None = None

    def compose(self) -> ComposeResult:
        for number, family in enumerate(FAMILIES.values()):
            chosen = family.name in self.draft.models
            yield Tick(label(family), chosen, id=f"on-{number}", compact=True)
            if family.checkpoint:
                path = self.draft.models.get(family.name, "")
                hint = f"checkpoint: {family.checkpoint}"
                yield Input(path, placeholder=hint, id=f"path-{number}", compact=True)
            yield Static(id=f"state-{number}", markup=False, classes="state muted")

    def on_mount(self) -> None:
        super().on_mount()
        self.fold()

    def fold(self) -> None:
        """Shows the checkpoints of the chosen families alone."""
        for number in range(len(FAMILIES)):
            on = self.query_one(f"#on-{number}", Tick).value
            for field in self.query(f"#path-{number}, #state-{number}"):
                field.display = on

    @property
    def chosen(self) -> dict[str, str]:
        chosen = {}
        for number, family in enumerate(FAMILIES.values()):
            if self.query_one(f"#on-{number}", Tick).value:
                paths = self.query(f"#path-{number}").results(Input)
                chosen[family.name] = next((path.value.strip() for path in paths), "")
        return chosen

    @on(Tick.Changed)
    @on(Input.Changed)
    def changed(self) -> None:
        self.fold()
        self.soon(lambda: self.check(self.chosen))
        self.post_message(self.Changed())

    @work(thread=True, group="checkpoints", exclusive=True, exit_on_error=False)
    def check(self, chosen: Chosen) -> None:
        found = {name: what_is_wrong(name, path) for name, path in chosen.items()}
        self.post_message(self.Checked(chosen, found))

    @on(Checked)
    def was_checked(self, event: Models.Checked) -> None:
        if event.chosen != self.chosen:
            return
        self.checked = event
        self.draft.models = dict(event.chosen)
        for number, name in enumerate(FAMILIES):
            trouble = event.found.get(name)
            fine = name in event.found and trouble is None
            self.query_one(f"#on-{number}", Tick).label = label(FAMILIES[name], fine)
            self.say(f"#state-{number}", f"! {trouble}" if trouble else "", bad=bool(trouble))
        self.post_message(self.Changed())

    @property
    def looking(self) -> bool:
        return self.checked is None or self.checked.chosen != self.chosen

    def why_not(self) -> str | None:
        if not self.chosen:
            return "choose a model with space"
        if self.checked is None or self.looking:
            return "looking at the checkpoints ..."
        return next((trouble for trouble in self.checked.found.values() if trouble), None)


def label(family: Family, fine: bool = False) -> Content:
    return Content(f"{family.name}{'  ok' * fine}  {family.summary}")


def what_is_wrong(name: str, path: str) -> str | None:
    family = FAMILIES[name]
    if family.checkpoint is None:
        return None
    if not path:
        return f"{name} needs {family.checkpoint if family.remote else 'a checkpoint folder'}"
    try:
        check_checkpoint(family, path)
    except (BadInput, OSError) as error:
        return str(error)
    return None
