"""The wizard's Models page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from engine.captioners.model_choice import is_asked_model
from engine.captioners.registry import FAMILIES, Family, check_checkpoint, choose_all
from engine.utils.errors import BadInput
from tui.dialogs.wizard.step import WizardStep
from tui.viewmodel.new_project import ProjectDraft, model_argument
from tui.widgets.checkbox import BracketCheckbox

ChosenModels = Mapping[str, str]
"""The checkpoint of each chosen family; an empty text for none."""


class ModelsStep(WizardStep):
    """The page for the models and their checkpoints, which are checked.

    Each family has a check box, and below it, if it is chosen, a field for its checkpoint.
    """

    NAME = "Models"
    PATHS = tuple(
        f"path-{n}" for n, family in enumerate(FAMILIES.values()) if family.checkpoint_form
    )
    FOLDERS = PATHS

    @dataclass
    class CheckpointsChecked(Message):
        """The checkpoints of the chosen families were checked."""

        chosen: ChosenModels
        problems: Mapping[str, str | None]
        """The problem with the checkpoint of each family, None if it has none."""

    def __init__(self, draft: ProjectDraft) -> None:
        super().__init__(draft)
        self.last_check: ModelsStep.CheckpointsChecked | None = None

    def compose(self) -> ComposeResult:
        for index, family in enumerate(FAMILIES.values()):
            chosen = family.name in self.draft.models
            yield BracketCheckbox(family_label(family), chosen, id=f"on-{index}", compact=True)
            if family.checkpoint_form:
                path = self.draft.models.get(family.name, "")
                hint = f"checkpoint: {family.checkpoint_form}"
                yield Input(path, placeholder=hint, id=f"path-{index}", compact=True)
            yield Static(id=f"state-{index}", markup=False, classes="state muted")

    def on_mount(self) -> None:
        super().on_mount()
        self.update_visibility()

    def update_visibility(self) -> None:
        """Show the checkpoint fields of the chosen families only."""
        for index in range(len(FAMILIES)):
            on = self.query_one(f"#on-{index}", BracketCheckbox).value
            for field in self.query(f"#path-{index}, #state-{index}"):
                field.display = on

    @property
    def chosen(self) -> dict[str, str]:
        """The families that are chosen now, with what is entered as their checkpoints."""
        chosen = {}
        for index, family in enumerate(FAMILIES.values()):
            if self.query_one(f"#on-{index}", BracketCheckbox).value:
                paths = self.query(f"#path-{index}").results(Input)
                chosen[family.name] = next((path.value.strip() for path in paths), "")
        return chosen

    @on(BracketCheckbox.Changed)
    @on(Input.Changed)
    def changed(self) -> None:
        self.update_visibility()
        self.check_soon(lambda: self.check(self.chosen))
        self.post_message(self.Changed())

    @work(thread=True, group="checkpoints", exclusive=True, exit_on_error=False)
    def check(self, chosen: ChosenModels) -> None:
        problems = {name: checkpoint_problem(name, chosen) for name in chosen}
        self.post_message(self.CheckpointsChecked(chosen, problems))

    @on(CheckpointsChecked)
    def checkpoints_checked(self, event: ModelsStep.CheckpointsChecked) -> None:
        if event.chosen != self.chosen:
            return
        self.last_check = event
        self.draft.models = dict(event.chosen)
        for index, name in enumerate(FAMILIES):
            problem = event.problems.get(name)
            is_complete = name in event.problems and problem is None
            checkbox = self.query_one(f"#on-{index}", BracketCheckbox)
            checkbox.label = family_label(FAMILIES[name], is_complete)
            message = f"! {problem}" if problem else ""
            self.show_message(f"#state-{index}", message, is_error=bool(problem))
        self.post_message(self.Changed())

    @property
    def checking(self) -> bool:
        return self.last_check is None or self.last_check.chosen != self.chosen

    def why_not(self) -> str | None:
        if not self.chosen:
            return "choose a model with space"
        if self.last_check is None or self.checking:
            return "looking at the checkpoints ..."
        return next((problem for problem in self.last_check.problems.values() if problem), None)


def family_label(family: Family, is_complete: bool = False) -> Content:
    """Return the text of a check box; `ok` says that the checkpoint is complete."""
    return Content(f"{family.name}{'  ok' * is_complete}  {family.summary}")


def checkpoint_problem(name: str, chosen: ChosenModels) -> str | None:
    """Return what is wrong with the checkpoint of a chosen family, None if nothing is."""
    family, path = FAMILIES[name], chosen[name]
    if family.checkpoint_form is None:
        return None
    if not path:
        return f"{name} needs {family.checkpoint_form if family.remote else 'a checkpoint folder'}"
    try:
        if is_asked_model(name, path):
            choose_all([model_argument(*each) for each in chosen.items() if each[1]], None, [])
        else:
            check_checkpoint(family, path)
    except (BadInput, OSError) as error:
        return str(error)
    return None
