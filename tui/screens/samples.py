from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.utils.errors import BadInput
from tui.formatting import captions, content, text
from tui.formatting.text import describe_error
from tui.screens.project_screen import ProjectScreen
from tui.viewmodel import actions
from tui.widgets.preview import Preview
from tui.widgets.tables.record_table import RecordRow, RecordTable
from tui.widgets.tables.table import Table

if TYPE_CHECKING:
    from db.rows import RecordKey, SampleRow
    from engine.operations.records import SampledImage
    from tui.viewmodel.snapshot import Snapshot

RING = 800
"""Captions of the ring that are read: of four models 200 records."""
REST_SECONDS = 0.08
"""A cursor that runs through the list asks for nothing until it stands still."""
SHOWN = {"cut": "raw with cuts", "sheared": "sheared", "both": "raw and sheared"}


@dataclass
class RowsRead(Message):
    """`shard` is None for what was captioned lately."""

    shard: int | None
    rows: tuple[RecordRow, ...]
    at: int | None = None


@dataclass
class ImageRead(Message):
    row: RecordRow
    image: SampledImage | None
    trouble: str = "this record is not in its shard file any more"


@dataclass
class Located(Message):
    place: tuple[int, int] | None
    words: str


@dataclass
class NotRead(Message):
    reason: str


class Samples(ProjectScreen):
    """What every model says of an image: raw and sheared, side by side."""

    MODE = "samples"
    HELP = (
        "Text between // and // was cut by shearing and is not exported. The list shows what was"
        " captioned lately, or, after J or from Shards, all records of a shard. A flag stays with"
        " a record: export can leave those out."
    )
    AUTO_FOCUS = "RecordTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "live", "Live", tooltip="Follow the newest caption", id="samples.live"),
        Binding("J,slash", "jump", "Jump", tooltip="Go to any record", id="samples.jump"),
        Binding("m", "model", "Model", tooltip="Choose the model before", id="samples.model"),
        Binding("d", "diff", "Diff", tooltip="Words that differ from it", id="samples.diff"),
        Binding("b", "show", "Show", False, tooltip="Cuts, sheared, both", id="samples.show"),
        Binding("f", "flag", "Flag", tooltip="Flag the record for later", id="samples.flag"),
        Binding(
            "F", "next_flag", "Next flag", False, tooltip="To the next flag", id="samples.next_flag"
        ),
        Binding("i", "image", "Image", False, tooltip="Show the image, or not", id="samples.image"),
        Binding("o", "open_file", "Open", False, tooltip="Open the file", id="samples.open"),
        Binding("escape", "back", "Back", False, tooltip="Back to live", id="samples.back"),
    ]

    live = True
    shard: int | None = None
    """Whose records are listed; None lists what was captioned lately."""
    newest: SampleRow | None = None
    flags: frozenset[RecordKey] = frozenset()
    reading = False
    row: RecordRow | None = None
    image: SampledImage | None = None
    trouble = ""
    model: str | None = None
    how = 0
    diff = False
    shown = Content("")
    timer: Any = None

    def body(self) -> Iterable[Widget]:
        yield Static(id="mode", markup=False)
        yield Preview(self.main.drawing, id="preview")
        with VerticalScroll(classes="detail", can_focus=True) as detail:
            detail.border_title = "Captions"
            yield Static("no caption yet", id="captions", markup=False)
        yield RecordTable(self.flagged, id="records")

    def on_mount(self) -> None:
        self.say_mode()

    @property
    def table(self) -> RecordTable:
        return self.query_one(RecordTable)

    @property
    def models(self) -> list[str]:
        snapshot = self.main.snapshot
        return [model.row.name for model in snapshot.models] if snapshot else []

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.sample != self.newest and self.shard is None:
            self.newest = snapshot.sample
            self.load()
        if snapshot.flags != self.flags:
            self.flags = snapshot.flags
            self.table.refresh()
            self.say_record()
        self.say_mode()

    # The list

    def load(self) -> None:
        if not self.reading and self.main.project is not None:
            self.reading = True
            self.read_ring()

    @work(thread=True, group="ring", exit_on_error=False)
    def read_ring(self) -> None:
        from db import progress
        from db.connection import reading

        assert self.main.project is not None  # noqa: S101
        try:
            with reading(self.main.project.database) as connection:
                self.post_message(RowsRead(None, grouped(progress.samples(connection, RING))))
        finally:
            self.reading = False

    @work(thread=True, group="shard", exclusive=True, exit_on_error=False)
    def read_shard(self, shard: int, at: int) -> None:
        from engine.operations.records import records_of_shard

        assert self.main.project is not None  # noqa: S101
        try:
            found = records_of_shard(self.main.project, shard)
            rows = tuple(RecordRow(shard, i, image, original) for i, image, original in found)
            self.post_message(RowsRead(shard, rows, at))
        except (OSError, ValueError, KeyError) as error:
            self.post_message(NotRead(f"shard {shard:05} cannot be read: {describe_error(error)}"))

    @on(RowsRead)
    def rows_read(self, event: RowsRead) -> None:
        if event.shard != self.shard:
            return
        table, follow = self.table, event.at is None and not self.live
        table.set_rows(event.rows, 0, len(event.rows), follow=follow)
        if event.at is not None:
            table.cursor = event.at
        elif self.live:
            table.cursor = 0
        self.say_mode()

    @on(NotRead)
    def not_read(self, event: NotRead) -> None:
        self.main.tell(event.reason, "error")

    def go_to(self, shard: int, i: int) -> None:
        """Lists that shard, with the cursor on record `i`."""
        self.live = False
        if self.shard == shard:
            self.table.cursor = i
        else:
            self.shard = shard
            self.read_shard(shard, i)
        self.say_mode()

    def action_live(self) -> None:
        self.live = not self.live
        if self.live:
            self.shard = None
            self.load()
            self.table.cursor = 0
        self.say_mode()

    def action_back(self) -> None:
        if self.shard is not None:
            self.action_live()
        self.table.focus()

    def action_jump(self) -> None:
        from tui.dialogs.text_prompt import Ask

        hint = (
            "shard and place such as 7/120 or 7:120, a number through the whole input, or words of"
            " the image path or caption (the next match is shown)"
        )

        def answer(words: str | None) -> None:
            if words:
                here = self.table.current
                self.locate(words, (here.shard, here.i) if here else (0, -1))

        self.app.push_screen(Ask("Jump to a record", hint), answer)

    @work(thread=True, group="locate", exclusive=True, exit_on_error=False)
    def locate(self, words: str, after: tuple[int, int]) -> None:
        from engine.operations.records import locate

        assert self.main.project is not None  # noqa: S101
        worker = get_current_worker()
        try:
            place = locate(self.main.project, words, after, lambda: worker.is_cancelled)
            self.post_message(Located(place, words))
        except (BadInput, OSError) as error:
            self.post_message(NotRead(str(error)))

    @on(Located)
    def located(self, event: Located) -> None:
        if event.place is None:
            self.main.tell(
                f"no image path or caption holds {event.words!r}; 7/120 or 7:120 goes to place 120"
                " of shard 7, a number to that place in the whole input",
                "warning",
            )
        else:
            self.go_to(*event.place)

    def say_mode(self) -> None:
        table = self.table
        where = "captioned lately" if self.shard is None else f"shard {self.shard:05}"
        table.border_title = f"Records: {where}, {text.number(table.total)}"
        live = "live (l)" if self.live else "live is off (l)"
        chosen = text.visible(self.model or (self.models or [""])[0])
        diff = f"differences from {chosen} (d, m)" if self.diff else "no diff (d)"
        how = SHOWN[captions.SHOWS[self.how]]
        self.query_one("#mode", Static).update(f"{live}   {how} (b)   {diff}   // cut //   J jumps")

    # The captions of one record

    @on(Table.Moved)
    def moved(self) -> None:
        row = self.table.current
        if self.table.cursor and self.live:
            self.live = False
            self.say_mode()
        if row is not None and row != self.row:
            self.row = row
            if self.timer is not None:
                self.timer.stop()
            self.timer = self.set_timer(REST_SECONDS, lambda: self.look(row))
            self.refresh_keys()

    def look(self, row: RecordRow) -> None:
        self.read_image(row)
        self.query_one(Preview).show(row.image)

    @work(thread=True, group="image", exclusive=True, exit_on_error=False)
    def read_image(self, row: RecordRow) -> None:
        from engine.operations.records import find

        assert self.main.project is not None  # noqa: S101
        try:
            self.post_message(ImageRead(row, find(self.main.project, row.shard, row.i)))
        except (OSError, ValueError, KeyError) as error:
            self.post_message(ImageRead(row, None, f"cannot be read: {describe_error(error)}"))

    @on(ImageRead)
    def image_read(self, event: ImageRead) -> None:
        if event.row == self.row:
            self.image, self.trouble = event.image, event.trouble
            self.draw()

    def draw(self) -> None:
        row, image = self.row, self.image
        if row is None:
            return
        if image is None:
            self.shown = Content(text.visible(self.trouble))
        else:
            show = captions.SHOWS[self.how]
            self.shown = captions.captions(image, self.models, show, self.model, self.diff)
        self.query_one(Preview).border_title = content.title(row.image)
        self.say_record()
        self.query_one("#captions", Static).update(self.shown)
        self.refresh_keys()

    def say_record(self) -> None:
        row = self.row
        if row is not None:
            flag = ", flagged (f)" if self.flagged(row) else ""
            self.query_one(".detail").border_title = f"Captions of {row.shard:05}/{row.i}{flag}"

    # Flags

    def flagged(self, row: RecordRow) -> bool:
        return (row.shard, row.i) in self.flags

    def action_flag(self) -> None:
        row = self.table.current
        if row is not None:
            self.main.call(lambda project: actions.flag(project, row.shard, row.i))

    def action_next_flag(self) -> None:
        """The next in the whole input, going round."""
        here = self.table.current
        flags = sorted(self.flags)
        after = (each for each in flags if here is None or each > (here.shard, here.i))
        found = next(after, flags[0] if flags else None)
        if found is not None:
            self.go_to(*found)

    # How they are shown

    def action_model(self) -> None:
        models = self.models
        if models:
            place = models.index(self.model) if self.model in models else 0
            self.model = models[(place + 1) % len(models)]
        self.say_mode()
        self.draw()

    def action_diff(self) -> None:
        self.diff = not self.diff
        self.say_mode()
        self.draw()

    def action_show(self) -> None:
        self.how = (self.how + 1) % len(captions.SHOWS)
        self.say_mode()
        self.draw()

    def action_image(self) -> None:
        preview = self.query_one(Preview)
        preview.display = not preview.display
        self.set_class(not preview.display, "-no-image")
        if preview.display and self.row is not None:
            self.call_after_refresh(preview.show, self.row.image)

    def action_open_file(self) -> None:
        row, project = self.row, self.main.project
        if row is not None and project is not None:
            self.tell_of(lambda: actions.open_image(project, row.image))

    @on(Table.Opened)
    def opened(self) -> None:
        from tui.dialogs.details import Details

        if self.row is not None:
            self.app.push_screen(Details(f"Record {self.row.shard:05}/{self.row.i}", self.shown))

    def why_not(self, action: str) -> str | None:
        if action == "next_flag" and not self.flags:
            return "no record is flagged"
        if action in ("open", "open_file", "diff", "flag") and self.table.current is None:
            return "there is no caption yet"
        return None

    def copied(self, row: bool) -> str | None:
        """The chosen model's sheared caption, or all that is shown."""
        if row:
            return self.shown.plain if self.image else None
        said = {each.model: each for each in self.image.captions} if self.image else {}
        caption = said.get(self.model or "") or next(iter(said.values()), None)
        return None if caption is None else caption.sheared


def grouped(samples: Iterable[SampleRow]) -> tuple[RecordRow, ...]:
    """One row a record, in the order of their newest caption."""
    rows: dict[tuple[int, int], RecordRow] = {}
    for sample in samples:
        place = sample.shard, sample.i
        if place not in rows:
            rows[place] = RecordRow(*place, sample.image, sample.original, sample.created)
    return tuple(rows.values())
