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

from engine.datasets.exports.formats import FORMATS, Format, Images
from engine.utils.errors import BadInput
from tui.formatting import text
from tui.viewmodel import actions
from tui.widgets.checkbox import Tick
from tui.widgets.path_complete import PathComplete

if TYPE_CHECKING:
    from engine.datasets.exports.export import ExportOptions
    from tui.viewmodel.snapshot import ModelProgress, Snapshot

OWN_WAY = "the format's own way"
NOT_HERE = "not in this format"


class ExportForm(Vertical):
    """What is exported, how and where to; what a format has no place for is off."""

    class Changed(Message):
        """Any field."""

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        super().__init__()
        self.folder = folder
        self.snapshot = snapshot
        self.proposed = self.propose(FORMATS["json"])

    def propose(self, form: Format) -> str:
        end = form.suffix or f"-{form.name}"
        return actions.shortened(self.folder / f"{self.folder.name}{end}")

    def compose(self) -> ComposeResult:
        formats = ((name, name) for name in FORMATS)
        yield line("Format", Select(formats, allow_blank=False, id="format", compact=True))
        yield Static(id="meaning", markup=False, classes="muted")
        yield line("Write to", Input(self.proposed, id="path", compact=True))
        with VerticalScroll(id="models", can_focus=False):
            yield from self.model_boxes()
        yield Tick("original captions first", id="original", compact=True)
        yield Tick("unfinished: export what there is", id="partial", compact=True)
        yield Tick("only sentences that the token cap did not cut", id="finished", compact=True)
        yield Tick("provenance: model, prompt, seed, finish", id="provenance", compact=True)
        yield Tick("without the records that were flagged", id="flagged", compact=True)
        yield line("Images", Select((), prompt=NOT_HERE, id="images", compact=True))
        field = Input(placeholder="0", type="integer", id="words", compact=True)
        yield line("Words at least", field)
        root = Input(
            placeholder="of the reader; paths stay as in the input", id="root", compact=True
        )
        yield line("Image root", root)
        maps = Input(placeholder="OLD=NEW, several with a blank between", id="map", compact=True)
        yield line("Path beginnings", maps)
        yield PathComplete("#path")
        yield PathComplete("#root", folders=True)

    def model_boxes(self) -> Iterable[Tick]:
        for number, model in enumerate(self.snapshot.models):
            captions = text.plural(model.captioned, "caption")
            label = Content(f"{text.visible(model.row.name)}  {captions}")
            yield Tick(label, True, id=f"model-{number}", compact=True)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False

    @property
    def form(self) -> Format:
        return FORMATS[str(self.query_one("#format", Select).value)]

    @property
    def path(self) -> str:
        return self.query_one("#path", Input).value.strip()

    @property
    def models(self) -> list[ModelProgress]:
        boxes = enumerate(self.query("#models Tick").results(Tick))
        return [self.snapshot.models[number] for number, box in boxes if box.value]

    @on(Select.Changed, "#format")
    def format_changed(self) -> None:
        form = self.form
        self.query_one("#meaning", Static).update(form.summary)
        field, before = self.query_one("#path", Input), self.proposed
        self.proposed = self.propose(form)
        if field.value == before:  # not the user's own
            field.value = self.proposed
        original = self.query_one("#original", Tick)
        original.disabled = form.original
        original.label = f"original captions first{'; always in this format' * form.original}"
        self.query_one("#provenance").disabled = not form.provenance
        images = self.query_one("#images", Select)
        images.disabled = not form.images
        images.prompt = OWN_WAY if form.images else NOT_HERE
        images.set_options((way, way) for way in form.images)

    @on(Select.Changed)
    @on(Input.Changed)
    @on(Tick.Changed)
    def changed(self) -> None:
        self.post_message(self.Changed())

    def options(self) -> ExportOptions:
        """Raises `BadInput`."""
        from engine.datasets.exports.export import ExportOptions

        form = self.form
        names = tuple(model.row.name for model in self.models)
        if not names:
            raise BadInput("tick a model")
        images = self.query_one("#images", Select)
        return ExportOptions(
            models=() if len(names) == len(self.snapshot.models) else names,
            with_original=not form.original and self.ticked("original"),
            image_root=self.query_one("#root", Input).value.strip() or None,
            path_map=path_maps(self.query_one("#map", Input).value),
            allow_partial=self.ticked("partial"),
            format=form.name,
            min_words=least(self.query_one("#words", Input).value),
            only_finished=self.ticked("finished"),
            provenance=form.provenance and self.ticked("provenance"),
            images=None if images.is_blank() else cast(Images, images.value),
            without_flagged=self.ticked("flagged"),
        )

    def ticked(self, id: str) -> bool:
        return self.query_one(f"#{id}", Tick).value


def line(name: str, field: Widget) -> Horizontal:
    return Horizontal(Label(name, classes="name"), field, classes="setting")


def least(words: str) -> int:
    words = words.strip()
    if words and not words.isdecimal():
        raise BadInput("how many words at least? A number, or nothing")
    return int(words or 0)


def path_maps(written: str) -> tuple[tuple[str, str], ...]:
    """Reads `OLD=NEW OLD=NEW`, quoted where there are blanks. Raises `BadInput`."""
    try:
        pairs = [word.partition("=") for word in shlex.split(written)]
    except ValueError as error:
        raise BadInput(f"the path beginnings cannot be read: {error}") from error
    if any(not old or not equals for old, equals, _ in pairs):
        raise BadInput("path beginnings: write OLD=NEW")
    return tuple((old, new) for old, _, new in pairs)
