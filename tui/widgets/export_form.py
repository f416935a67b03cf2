"""The fields of the Export dialog."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Select, Static

from engine.datasets.exports.formats import FORMATS, ExportFormat, ImageMode
from engine.utils.errors import BadInput
from tui.formatting import text
from tui.viewmodel import actions
from tui.widgets.checkbox import BracketCheckbox
from tui.widgets.path_complete import PathComplete

if TYPE_CHECKING:
    from engine.datasets.exports.export import ExportOptions
    from tui.viewmodel.snapshot import ModelProgress, Snapshot

FORMAT_DEFAULT = "the format's own way"
NOT_IN_FORMAT = "not in this format"
"""Prompts of the choice of how images are written: with and without a choice."""


class ExportForm(Vertical):
    """The fields for what is exported, how and where to; those a format has no use for are off."""

    class Changed(Message):
        """A field was changed."""

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        super().__init__()
        self.folder = folder
        self.snapshot = snapshot
        self.proposed_path = self.propose_path(FORMATS["json"])

    def propose_path(self, format: ExportFormat) -> str:
        """Return a path in the project folder for the exported captions."""
        suffix = format.suffix or f"-{format.name}"
        return actions.relative_to_cwd(self.folder / f"{self.folder.name}{suffix}")

    def compose(self) -> ComposeResult:
        formats = ((name, name) for name in FORMATS)
        yield field_row("Format", Select(formats, allow_blank=False, id="format", compact=True))
        yield Static(id="meaning", markup=False, classes="muted")
        yield field_row("Write to", Input(self.proposed_path, id="path", compact=True))
        with VerticalScroll(id="models", can_focus=False):
            yield from self.model_checkboxes()
        yield BracketCheckbox("original captions first", id="original", compact=True)
        yield BracketCheckbox("unfinished: export what there is", id="partial", compact=True)
        yield BracketCheckbox(
            "only sentences that the token cap did not cut", id="finished", compact=True
        )
        yield BracketCheckbox(
            "provenance: model, prompt, seed, finish", id="provenance", compact=True
        )
        yield BracketCheckbox("without the records that were flagged", id="flagged", compact=True)
        yield field_row("Images", Select((), prompt=NOT_IN_FORMAT, id="images", compact=True))
        field = Input(placeholder="0", type="integer", id="words", compact=True)
        yield field_row("Words at least", field)
        root = Input(
            placeholder="of the reader; paths stay as in the input", id="root", compact=True
        )
        yield field_row("Image root", root)
        maps = Input(placeholder="OLD=NEW, several with a blank between", id="map", compact=True)
        yield field_row("Path beginnings", maps)
        yield PathComplete("#path")
        yield PathComplete("#root", folders_only=True)

    def model_checkboxes(self) -> Iterable[BracketCheckbox]:
        for number, model in enumerate(self.snapshot.models):
            captions = text.plural(model.captioned, "caption")
            label = Content(f"{text.visible(model.row.name)}  {captions}")
            yield BracketCheckbox(label, True, id=f"model-{number}", compact=True)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False

    @property
    def format(self) -> ExportFormat:
        return FORMATS[str(self.query_one("#format", Select).value)]

    @property
    def path(self) -> str:
        return self.query_one("#path", Input).value.strip()

    @property
    def models(self) -> list[ModelProgress]:
        """The models whose captions are exported."""
        boxes = enumerate(self.query("#models BracketCheckbox").results(BracketCheckbox))
        return [self.snapshot.models[number] for number, box in boxes if box.value]

    @on(Select.Changed, "#format")
    def format_changed(self) -> None:
        format = self.format
        self.query_one("#meaning", Static).update(format.summary)
        field, old_proposal = self.query_one("#path", Input), self.proposed_path
        self.proposed_path = self.propose_path(format)
        if field.value == old_proposal:  # the user typed no other
            field.value = self.proposed_path
        original = self.query_one("#original", BracketCheckbox)
        original.disabled = format.needs_original
        always = "; always in this format" * format.needs_original
        original.label = f"original captions first{always}"
        self.query_one("#provenance").disabled = not format.provenance
        images = self.query_one("#images", Select)
        images.disabled = not format.image_modes
        images.prompt = FORMAT_DEFAULT if format.image_modes else NOT_IN_FORMAT
        images.set_options((choice, choice) for choice in format.image_modes)

    @on(Select.Changed)
    @on(Input.Changed)
    @on(BracketCheckbox.Changed)
    def changed(self) -> None:
        self.post_message(self.Changed())

    def options(self) -> ExportOptions:
        """Return the options of all fields. Raises `BadInput`."""
        from engine.datasets.exports.export import ExportOptions

        format = self.format
        names = tuple(model.row.name for model in self.models)
        if not names:
            raise BadInput("tick a model")
        images = self.query_one("#images", Select)
        return ExportOptions(
            models=() if len(names) == len(self.snapshot.models) else names,
            with_original=not format.needs_original and self.is_checked("original"),
            image_root=self.query_one("#root", Input).value.strip() or None,
            path_map=read_path_maps(self.query_one("#map", Input).value),
            allow_partial=self.is_checked("partial"),
            format=format.name,
            min_words=read_min_words(self.query_one("#words", Input).value),
            only_finished=self.is_checked("finished"),
            provenance=format.provenance and self.is_checked("provenance"),
            images=None if images.is_blank() else cast(ImageMode, images.value),
            without_flagged=self.is_checked("flagged"),
        )

    def is_checked(self, id: str) -> bool:
        return self.query_one(f"#{id}", BracketCheckbox).value


def field_row(name: str, field: Widget) -> Horizontal:
    return Horizontal(Label(name, classes="name"), field, classes="setting")


def read_min_words(typed: str) -> int:
    """Return the number of words that was typed, 0 for nothing. Raises `BadInput`."""
    typed = typed.strip()
    if typed and not typed.isdecimal():
        raise BadInput("how many words at least? A number, or nothing")
    return int(typed or 0)


def read_path_maps(typed: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of `OLD=NEW OLD=NEW`, quoted where they hold blanks. Raises `BadInput`."""
    try:
        pairs = [word.partition("=") for word in shlex.split(typed)]
    except ValueError as error:
        raise BadInput(f"the path beginnings cannot be read: {error}") from error
    if any(not old or not equals for old, equals, _ in pairs):
        raise BadInput("path beginnings: write OLD=NEW")
    return tuple((old, new) for old, _, new in pairs)
