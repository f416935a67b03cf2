from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, Select, Static

from db.rows import SHEAR_MODES, ProjectRow, ShearMode
from engine.utils.errors import BadInput, Refused
from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.formatting.text import describe_error

if TYPE_CHECKING:
    from engine.project.layout import Project

MEANINGS: dict[ShearMode, str] = {
    "paper": "upstream's: its clean-up of each family, then what stands before the first dot",
    "sentence": "the first sentence; dots in numbers and abbreviations do not end it",
}


class Reshear(Dialog[str | None]):
    """All captions sheared again from their raw texts, in another way; returns what was done."""

    AUTO_FOCUS = "#way"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="reshear.close"),
        Binding("ctrl+n", "begin", "Shear", tooltip="Shear all again", id="reshear.begin"),
    ]

    @dataclass
    class Step(Message):
        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Reshear.Step)

    @dataclass
    class Ended(Message):
        sentence: str
        done: bool

    def __init__(self, project: Project, row: ProjectRow) -> None:
        super().__init__()
        self.project = project
        self.row = row
        self.shearing = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Shear again"
            dialog.border_subtitle = "ctrl+n shears, esc closes"
            ways = ((mode, mode) for mode in SHEAR_MODES)
            yield Label("Way of shearing", classes="field")
            yield Select(ways, value=self.row.shear_mode, allow_blank=False, id="way", compact=True)
            yield Static(id="meaning", markup=False, classes="muted")
            yield Label("At most this many words", classes="field")
            words = "" if self.row.shear_max_words is None else str(self.row.shear_max_words)
            yield Input(words, placeholder="no limit", type="integer", id="words", compact=True)
            yield Static(
                "Needs no GPU: the raw texts are kept. Exports change from then on.",
                markup=False,
                classes="muted",
            )
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Shear again", id="begin", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    @property
    def mode(self) -> ShearMode:
        chosen = self.query_one("#way", Select).value
        return next(mode for mode in SHEAR_MODES if mode == chosen)

    @on(Select.Changed)
    def chosen(self) -> None:
        self.query_one("#meaning", Static).update(MEANINGS[self.mode])

    @on(Button.Pressed, "#begin")
    @on(Input.Submitted)
    def action_begin(self) -> None:
        words = self.query_one(Input).value.strip()
        if self.shearing:
            return
        if words and not (words.isdecimal() and int(words)):
            self.say("at most how many words? A number, or nothing", bad=True)
            return
        self.shearing = True
        self.query_one("#begin").disabled = True
        self.say("shearing ...")
        self.shear(self.mode, int(words) if words else None)

    @work(thread=True, group="reshear", exit_on_error=False)
    def shear(self, mode: ShearMode, max_words: int | None) -> None:
        from engine.operations.reshear import reshear
        from engine.shearing.shear import Shearing

        try:
            done = reshear(self.project, Shearing(mode, max_words), self.tell)
        except (BadInput, Refused) as error:
            self.post_message(self.Ended(str(error), False))
        except Exception as error:
            self.post_message(self.Ended(describe_error(error), False))
        else:
            self.post_message(self.Ended(done.sentence(mode), True))

    def tell(self, done: int, total: int) -> None:
        self.post_message(self.Step(done, total))

    @on(Step)
    def stepped(self, event: Reshear.Step) -> None:
        self.say(f"{text.number(event.done)} of {text.plural(event.total, 'shard')} sheared")

    @on(Ended)
    def was_ended(self, event: Reshear.Ended) -> None:
        self.shearing = False
        if event.done:
            self.dismiss(event.sentence)
        else:
            self.query_one("#begin").disabled = False
            self.say(event.sentence, bad=True)

    def say(self, sentence: str, bad: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(text.visible(sentence))
        line.set_class(bad, "error")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Not in the middle: the thread would go on unseen."""
        if not self.shearing:
            self.dismiss(None)
