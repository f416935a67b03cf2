"""The dialog that lists the project's models."""

from __future__ import annotations

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
    from tui.viewmodel.snapshot import ModelProgress, Snapshot


ADD = Action[Session](
    "a",
    "add",
    "Add",
    tooltip="Add a model",
    id="models.add",
    changes_run=True,
    needs=(conditions.no_run,),
)


class Models(ActionOwner, Dialog["ModelProgress | str | None"]):
    """A list of the models; returns the model whose settings to open, or `"add"` to add one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="models.close"),
        ADD,
        Binding("j", "move('down')", "Down", show=False, id="models.down"),
        Binding("k", "move('up')", "Up", show=False, id="models.up"),
    ]

    def __init__(self, session: Session, snapshot: Snapshot) -> None:
        super().__init__()
        self.session = session
        self.snapshot = snapshot

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Models"
            dialog.border_subtitle = "enter settings, a adds a model, esc closes"
            yield OptionList(*map(self.option, self.snapshot.models))
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
        self.dismiss(self.snapshot.models[event.option_index])

    def action_add(self) -> None:
        self.dismiss("add")

    def action_move(self, direction: str) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if direction == "down" else options.action_cursor_up()

    def action_close(self) -> None:
        self.dismiss(None)
