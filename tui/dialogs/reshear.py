"""The dialog that shears all captions again in another way."""

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
from engine.utils.errors import BadInput, RequestRefused
from tui.dialogs.confirm import close_or_ask
from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.widgets.choice import Choice

if TYPE_CHECKING:
    from engine.project.layout import Project

MEANINGS: dict[ShearMode, str] = {
    "paper": "the paper's: its clean-up of each family, then the text before the first dot",
    "sentence": "the first sentence; dots in numbers and abbreviations do not end it",
}


class Reshear(Dialog[str | None]):
    """A form for another shearing method; shears all raw captions and returns what was done."""

    AUTO_FOCUS = "#way"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="reshear.close"),
        Binding("ctrl+n", "begin", "Shear", tooltip="Re-shear all captions", id="reshear.begin"),
    ]

    @dataclass
    class ShardsSheared(Message):
        """`done` of `total` shards are sheared."""

        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Reshear.ShardsSheared)

    @dataclass
    class ShearingEnded(Message):
        """All captions are sheared (`done`), or `sentence` says why they are not."""

        sentence: str
        done: bool

    def __init__(self, project: Project, row: ProjectRow) -> None:
        super().__init__()
        self.project = project
        self.row = row
        self.shearing = False
        """True while a thread is shearing."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Re-shear"
            dialog.border_subtitle = "ctrl+n re-shears, esc closes"
            modes = ((mode, mode) for mode in SHEAR_MODES)
            yield Label("Shearing method", classes="field")
            yield Choice(
                modes, value=self.row.shear_mode, allow_blank=False, id="way", compact=True
            )
            yield Static(id="meaning", markup=False, classes="muted")
            yield Label("Max. words", classes="field")
            max_words = words_text(self.row.shear_max_words)
            yield Input(max_words, placeholder="no limit", type="integer", id="words", compact=True)
            yield Static(
                "Needs no GPU: the raw texts are kept. Exports change from then on.",
                markup=False,
                classes="muted",
            )
            yield Static(id="said", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Re-shear", id="begin", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    @property
    def mode(self) -> ShearMode:
        chosen = self.query_one("#way", Select).value
        return next(mode for mode in SHEAR_MODES if mode == chosen)

    @on(Select.Changed)
    def mode_chosen(self) -> None:
        self.query_one("#meaning", Static).update(MEANINGS[self.mode])

    @on(Button.Pressed, "#begin")
    @on(Input.Submitted)
    def action_begin(self) -> None:
        max_words = self.query_one(Input).value.strip()
        if self.shearing:
            return
        if max_words and not (max_words.isdecimal() and int(max_words)):
            self.show_message("max. words: write a number, or nothing", is_error=True)
            return
        self.shearing = True
        self.query_one("#begin").disabled = True
        self.show_message("shearing ...")
        self.shear(self.mode, int(max_words) if max_words else None)

    @work(thread=True, group="reshear", exit_on_error=False)
    def shear(self, mode: ShearMode, max_words: int | None) -> None:
        from engine.operations.reshear import reshear
        from engine.shearing.shear import Shearing

        try:
            result = reshear(self.project, Shearing(mode, max_words), self.report_progress)
        except (BadInput, RequestRefused) as error:
            self.post_message(self.ShearingEnded(str(error), False))
        except Exception as error:
            self.post_message(self.ShearingEnded(describe_error(error), False))
        else:
            self.post_message(self.ShearingEnded(result.summary(mode), True))

    def report_progress(self, done: int, total: int) -> None:
        self.post_message(self.ShardsSheared(done, total))

    @on(ShardsSheared)
    def shards_sheared(self, event: Reshear.ShardsSheared) -> None:
        total = text.plural(event.total, "shard")
        self.show_message(f"{text.number(event.done)} of {total} sheared")

    @on(ShearingEnded)
    def shearing_ended(self, event: Reshear.ShearingEnded) -> None:
        self.shearing = False
        if event.done:
            self.dismiss(event.sentence)
        else:
            self.query_one("#begin").disabled = False
            self.show_message(event.sentence, is_error=True)

    def show_message(self, sentence: str, is_error: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(text.visible(sentence))
        line.set_class(is_error, "error")

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        # Not while a thread is shearing: it would go on unseen.
        if not self.shearing:
            entered = self.mode, self.query_one(Input).value.strip()
            changed = entered != (self.row.shear_mode, words_text(self.row.shear_max_words))
            close_or_ask(self.app, changed, lambda: self.dismiss(None))


def words_text(max_words: int | None) -> str:
    """Return a limit of words as the field shows it."""
    return "" if max_words is None else str(max_words)
