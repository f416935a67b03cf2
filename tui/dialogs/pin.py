"""The dialog that pins a device to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.dialogs.dialog import Dialog
from tui.formatting import text

if TYPE_CHECKING:
    from tui.viewmodel.snapshot import DeviceView


class Pin(Dialog[tuple[str, str | None] | None]):
    """A list of devices, one of which shall work on `model` only.

    Returns the chosen device and the model to pin it to: None to unpin a device that is pinned to
    this model already.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="pin.close"),
        Binding("j", "move('down')", "Down", show=False, id="pin.down"),
        Binding("k", "move('up')", "Up", show=False, id="pin.up"),
    ]

    def __init__(self, devices: tuple[DeviceView, ...], model: str) -> None:
        super().__init__()
        self.devices = devices
        self.model = model

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Reserve device for model"
            dialog.border_subtitle = "enter chooses, esc closes"
            model = text.visible(self.model)
            yield Static(f"Which device is reserved for {model}?", markup=False)
            yield OptionList(*map(self.option, self.devices))

    def option(self, view: DeviceView) -> Option:
        now = f"pinned to {text.visible(view.pinned_model)}" if view.pinned_model else "any model"
        unpin = ": remove the pin" if view.pinned_model == self.model else ""
        return Option(Content(f"{text.fit(view.row.id, 8)} {now}{unpin}"))

    @on(OptionList.OptionSelected)
    def chosen(self, event: OptionList.OptionSelected) -> None:
        view = self.devices[event.option_index]
        self.dismiss((view.row.id, None if view.pinned_model == self.model else self.model))

    def action_move(self, direction: str) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if direction == "down" else options.action_cursor_up()

    def action_close(self) -> None:
        self.dismiss(None)
