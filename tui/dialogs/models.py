"""The dialog that lists the project's models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.captioners.registry import IMPORTED, Settings
from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.keys import conditions
from tui.keys.action import Action, ActionOwner
from tui.session.session import Session

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import ModelProgress


ADD = Action[Session](
    "a",
    "add",
    "Add",
    tooltip="Add a model",
    id="models.add",
    changes_run=True,
    needs=(conditions.no_run,),
)


@dataclass(frozen=True)
class ModelsAnswer:
    """What a person wants of the models."""

    model: ModelProgress | None
    """The chosen one; None to add one."""
    prompts: bool = False
    """True to try its prompts, False to open its settings."""


class Models(ActionOwner, Dialog[ModelsAnswer | None]):
    """A list of models, of which one is chosen, for its settings or for its prompts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="models.close"),
        ADD,
        Binding("w", "prompts", "Prompts", tooltip="Try prompts of it", id="models.prompts"),
        Binding("j", "move('down')", "Down", show=False, id="models.down"),
        Binding("k", "move('up')", "Up", show=False, id="models.up"),
    ]

    def __init__(
        self, session: Session, models: Sequence[ModelProgress], for_prompts: bool = False
    ) -> None:
        super().__init__()
        self.session = session
        self.models = models
        self.for_prompts = for_prompts
        """True if enter is to try prompts."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Try prompts of which model?" if self.for_prompts else "Models"
            keys = "enter settings, w tries prompts, a adds a model, esc closes"
            dialog.border_subtitle = "enter tries prompts, esc closes" if self.for_prompts else keys
            yield OptionList(*map(self.option, self.models))
            if not self.for_prompts:
                yield Static(self.why_not("add") or "", markup=False, classes="muted")

    def option(self, model: ModelProgress) -> Option:
        batch = Settings.of(model.row.settings).batch
        details = f"batch {batch}  {model.row.checkpoint or 'no checkpoint'}"
        details = "imported" if model.row.family == IMPORTED else details
        details = f"scores  {details}" if model.is_scorer else details
        state = "FAIL blocked" if model.row.blocked else text.percent(model.share)
        return Option(
            Content(f"{text.fit(model.row.name, 14)} {state:>5}  {text.visible(details)}")
        )

    @on(OptionList.OptionSelected)
    def chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(ModelsAnswer(self.models[event.option_index], self.for_prompts))

    def action_prompts(self) -> None:
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None:
            self.dismiss(ModelsAnswer(self.models[highlighted], prompts=True))

    def action_add(self) -> None:
        self.dismiss(ModelsAnswer(None))

    def action_move(self, direction: str) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if direction == "down" else options.action_cursor_up()

    def action_close(self) -> None:
        self.dismiss(None)
