"""The fields of the Export dialog."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from engine.datasets.exports.formats import FORMATS, ExportFormat, ImageMode
from engine.utils.byte_size import parse_byte_size
from engine.utils.errors import BadInput
from tui.formatting import text
from tui.viewmodel import actions
from tui.widgets.checkbox import BracketCheckbox
from tui.widgets.choice import Choice
from tui.widgets.filter_fields import FilterFields, field_row
from tui.widgets.path_complete import PathComplete

if TYPE_CHECKING:
    from engine.datasets.exports.export import ExportOptions
    from tui.viewmodel.snapshot import ModelProgress, Snapshot

FORMAT_DEFAULT = "as the format does"
"""The prompt of a choice that need not be made."""
DRAWS = ("random", "expand")
"""The texts that can be chosen beside those of single names."""
COLUMNS = {
    "uid": "Column uid",
    "captions-list": "Column captions: a list of all captions",
    "quality-columns": "Columns health, agreement, scores, flags",
}
"""By id the labels of the ticks for further columns, of formats that have columns."""


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
        yield field_row("Format", Choice(formats, allow_blank=False, id="format", compact=True))
        yield Static(id="meaning", markup=False, classes="muted")
        yield field_row("Write to", Input(self.proposed_path, id="path", compact=True))
        with VerticalScroll(id="models", can_focus=False):
            yield from self.model_checkboxes()
        yield BracketCheckbox("Include originals", id="original", compact=True)
        yield BracketCheckbox(
            "Allow partial: export what is captioned so far", id="partial", compact=True
        )
        yield BracketCheckbox(
            "Only complete sentences (not cut by the token cap)", id="finished", compact=True
        )
        yield BracketCheckbox(
            "Include provenance: model, prompt, seed, finish", id="provenance", compact=True
        )
        yield BracketCheckbox("Leave out flagged records and captions", id="flagged", compact=True)
        yield BracketCheckbox("Only flagged records and captions", id="only-flagged", compact=True)
        yield BracketCheckbox(
            "Include images that cannot be read, or were excluded", id="unreadable", compact=True
        )
        for id, label in COLUMNS.items():
            yield BracketCheckbox(label, id=id, compact=True)
        yield field_row("Text", Choice((), prompt=FORMAT_DEFAULT, id="text", compact=True))
        yield field_row("Images", Choice((), prompt=FORMAT_DEFAULT, id="images", compact=True))
        hint = "jpg or webp, with a quality jpg:90; else as they are"
        yield field_row("Encode images", Input(placeholder=hint, id="encode", compact=True))
        side = Input(
            placeholder="pixels, of encoded images", type="integer", id="side", compact=True
        )
        yield field_row("Longer side", side)
        hint = "such as 500M; else a tar for each shard"
        yield field_row("Tar size", Input(placeholder=hint, id="tar-size", compact=True))
        field = Input(placeholder="0", type="integer", id="words", compact=True)
        yield field_row("Min. words", field)
        scorers = [model.row.name for model in self.snapshot.models if model.is_scorer]
        yield FilterFields(len(self.snapshot.captioners), scorers)
        root = Input(
            placeholder="of the reader; paths stay as in the input", id="root", compact=True
        )
        yield field_row("Image root", root)
        maps = Input(placeholder="OLD=NEW, several with a blank between", id="map", compact=True)
        yield field_row("Rewrite path prefixes", maps)
        yield PathComplete("#path")
        yield PathComplete("#root", folders_only=True)

    def model_checkboxes(self) -> Iterable[BracketCheckbox]:
        for number, model in enumerate(self.snapshot.captioners):
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
        return [self.snapshot.captioners[number] for number, box in boxes if box.value]

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
        original.label = f"Include originals{always}"
        self.query_one("#provenance").disabled = not format.provenance
        for id in COLUMNS:
            tick = self.query_one(f"#{id}")
            tick.disabled = not format.columns
            tick.display = format.columns
        self.offer("images", format.image_modes)
        texts = ("original", *(model.row.name for model in self.snapshot.captioners), *DRAWS)
        self.offer("text", texts if format.text else ())
        for name in ("encode", "side"):
            self.switch(self.query_one(f"#{name}"), format.encodes)
        self.switch(self.query_one("#tar-size"), format.tars)

    def offer(self, name: str, choices: Sequence[str]) -> None:
        """Offer choices, beside the format's own way; without any, the field is off."""
        field = self.query_one(f"#{name}", Select)
        self.switch(field, bool(choices))
        field.set_options((choice, choice) for choice in choices)

    @on(Select.Changed)
    @on(Input.Changed)
    @on(BracketCheckbox.Changed)
    def changed(self) -> None:
        self.post_message(self.Changed())

    def switch(self, field: Widget, on: bool) -> None:
        """Turn a field on, or off and hide its row: a small terminal has no room for it."""
        field.disabled = not on
        if isinstance(field.parent, Horizontal):
            field.parent.display = on

    def options(self) -> ExportOptions:
        """Return the options of all fields. Raises `BadInput`."""
        from engine.datasets.exports.export import ExportOptions
        from engine.datasets.exports.image_files import parse_encoding

        format = self.format
        names = tuple(model.row.name for model in self.models)
        if not names:
            raise BadInput("tick a model")
        images, text_choice = self.query_one("#images", Select), self.query_one("#text", Select)
        encode = (self.typed("encode") or None) if format.encodes else None
        max_side = read_number(self.typed("side"), "pixels") if format.encodes else 0
        parse_encoding(encode, max_side or None)
        tar_size = self.typed("tar-size") if format.tars else ""
        if self.is_checked("flagged") and self.is_checked("only-flagged"):
            raise BadInput("tick either 'Leave out flagged' or 'Only flagged', not both")
        return ExportOptions(
            models=() if len(names) == len(self.snapshot.captioners) else names,
            with_original=not format.needs_original and self.is_checked("original"),
            image_root=self.typed("root") or None,
            path_map=read_path_maps(self.typed("map")),
            allow_partial=self.is_checked("partial"),
            format=format.name,
            min_words=read_number(self.typed("words"), "min. words"),
            only_finished=self.is_checked("finished"),
            provenance=format.provenance and self.is_checked("provenance"),
            uid=format.columns and self.is_checked("uid"),
            captions_list=format.columns and self.is_checked("captions-list"),
            quality_columns=format.columns and self.is_checked("quality-columns"),
            images=None if images.is_blank() else cast(ImageMode, images.value),
            without_flagged=self.is_checked("flagged"),
            only_flagged=self.is_checked("only-flagged"),
            quality=self.query_one(FilterFields).quality(),
            keep_unreadable=self.is_checked("unreadable"),
            text=None if text_choice.is_blank() else str(text_choice.value),
            encode=encode,
            max_side=max_side or None,
            tar_bytes=parse_byte_size(tar_size) if tar_size else None,
        )

    def typed(self, id: str) -> str:
        return self.query_one(f"#{id}", Input).value.strip()

    def is_checked(self, id: str) -> bool:
        return self.query_one(f"#{id}", BracketCheckbox).value


def read_number(typed: str, what: str) -> int:
    """Return the number that was typed, 0 for nothing. Raises `BadInput`."""
    if typed and not typed.isdecimal():
        raise BadInput(f"{what}: write a number, or nothing")
    return int(typed or 0)


def read_path_maps(typed: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of `OLD=NEW OLD=NEW`, quoted where they hold blanks. Raises `BadInput`."""
    try:
        pairs = [word.partition("=") for word in shlex.split(typed)]
    except ValueError as error:
        raise BadInput(f"the path prefixes cannot be read: {error}") from error
    if any(not old or not equals for old, equals, _ in pairs):
        raise BadInput("path prefixes: write OLD=NEW")
    return tuple((old, new) for old, _, new in pairs)
