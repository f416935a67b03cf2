"""The Samples screen: an image with what every model says of it, raw and sheared, side by side.

It lists the records captioned lately, all records of a shard, or records that another screen chose,
and flags records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from engine.utils.errors import BadInput
from tui.formatting import captions, content, text
from tui.formatting.text import describe_error
from tui.keys.samples import SAMPLES_ACTIONS, SamplesState
from tui.screens.project_screen import ProjectScreen
from tui.screens.samples_messages import (
    ImageRead,
    RecordLocated,
    RecordReadFailed,
    ShardRead,
    rows_of_samples,
)
from tui.session.feedback import notify
from tui.threads.page_loader import PageLoader
from tui.viewmodel import actions, pages
from tui.widgets.preview import Preview, PreviewScreen
from tui.widgets.tables.record_table import RecordRow, RecordTable
from tui.widgets.tables.table import VirtualTable
from tui.widgets.thumbnail_grid import ThumbnailGrid

if TYPE_CHECKING:
    from db.rows import CaptionKey, RecordKey, SampleRow
    from engine.operations.records import SampledCaption, SampledImage
    from engine.project.layout import Project
    from tui.session.messages import RecordsChosen
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot

CAPTIONS_READ = 800
"""Sampled captions that are read for the list: with four models, those of 200 records."""
REST_SECONDS = 0.08
"""Seconds that the cursor must rest on a record before its image and captions are read."""
VIEW_LABELS = {"cut": "raw with cuts", "sheared": "sheared", "both": "raw and sheared"}
"""The label of each view of a caption, for the line above the list."""


class Samples(PreviewScreen[None], ProjectScreen):
    """A list of records, and the image and the captions of the record under the cursor."""

    MODE = "samples"
    HELP = (
        "Text between // and // was cut by shearing and is not exported. The list shows what was"
        " captioned lately, after J or from Shards all records of a shard, or from Quality the"
        " worst captions. t shows many small pictures, Z one on the whole screen. f flags the"
        " record (after t, those marked with space), w the caption of the chosen model (m), with"
        " a reason: export can leave those out, or take them alone."
    )
    AUTO_FOCUS = "RecordTable"
    BINDINGS: ClassVar[list[BindingType]] = [*SAMPLES_ACTIONS]

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__(session, project)
        self.newest_samples = PageLoader(self, self.read_newest_samples, self.show_newest_samples)
        self.chosen_records = PageLoader(
            self, self.read_chosen_records, self.show_chosen_records, self.show_read_failure
        )
        self.chosen: RecordsChosen | None = None
        """The records that another screen chose, while they are listed."""
        self.chosen_in = ""
        """The mode of that screen, to which `esc` goes back."""
        self.live = True
        """True while the cursor follows the newest caption."""
        self.shard: int | None = None
        """The shard whose records are listed; None if others are."""
        self.newest: SampleRow | None = None
        """The newest sampled caption when the list was last read."""
        self.flags: frozenset[RecordKey] = frozenset()
        """The flagged records."""
        self.flagged_captions: Mapping[CaptionKey, str] = {}
        """Why captions are flagged."""
        self.row: RecordRow | None = None
        """The record whose image and captions are shown or being read."""
        self.image: SampledImage | None = None
        """The captions of `row`; None until they are read, or if they cannot be read."""
        self.image_error = ""
        """Why there are no captions of `row`."""
        self.model: str | None = None
        """The name of the model that `diff` compares the others with; None is the first one."""
        self.view_index = 0
        """The index of the view of a caption in `captions.CAPTION_VIEWS`."""
        self.diff = False
        """True if words that differ from the chosen model's caption are marked."""
        self.shown = Content("")
        """The text of the captions pane."""
        self.preview = Preview(
            partial(pages.find_image, project), session.image_support, id="preview"
        )
        self.table = RecordTable(self.is_flagged, id="records")
        self.grid = ThumbnailGrid(
            self.table, self.preview.resolve, self.read_caption, self.is_flagged, id="grid"
        )
        self.load_timer: Timer | None = None
        """Starts reading the record under the cursor when the cursor rests."""

    def body(self) -> Iterable[Widget]:
        yield Static(id="mode", markup=False)
        yield self.preview
        with VerticalScroll(classes="detail", can_focus=True) as detail:
            detail.border_title = "Captions"
            yield Static("no caption yet", id="captions", markup=False)
        yield self.table
        yield self.grid

    def on_mount(self) -> None:
        self.update_mode_line()

    @property
    def models(self) -> list[str]:
        """The names of the models that write captions."""
        snapshot = self.session.snapshot
        return [model.row.name for model in snapshot.captioners] if snapshot else []

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.latest_sample != self.newest and self.lists_newest:
            self.newest = snapshot.latest_sample
            self.load()
        if (snapshot.flagged, snapshot.flagged_captions) != (self.flags, self.flagged_captions):
            self.flags, self.flagged_captions = snapshot.flagged, snapshot.flagged_captions
            self.table.refresh()
            self.grid.update()
            self.update_record_title()
            if self.row is not None:
                self.read_image(self.row)
        self.update_mode_line()

    # The list

    @property
    def lists_newest(self) -> bool:
        """True if the records captioned lately are listed."""
        return self.shard is None and self.chosen is None

    def load(self) -> None:
        """Read the records captioned lately."""
        if self.session.snapshot is not None:
            self.newest_samples.load(CAPTIONS_READ)

    def read_newest_samples(self, limit: int) -> tuple[RecordRow, ...]:
        return rows_of_samples(pages.read_newest_samples(self.project, limit))

    def show_newest_samples(self, limit: int, rows: tuple[RecordRow, ...]) -> None:
        if self.lists_newest:
            self.show_rows(rows)

    def go_through(self, chosen: RecordsChosen, mode: str) -> None:
        """List records that were chosen in another mode, with the cursor on the first."""
        self.live, self.shard = False, None
        self.chosen, self.chosen_in = chosen, mode
        self.model = chosen.model if chosen.model in self.models else None
        self.chosen_records.load(chosen)
        self.update_mode_line()

    def read_chosen_records(self, chosen: RecordsChosen) -> tuple[RecordRow, ...]:
        records = pages.read_chosen_records(self.project, chosen.keys)
        return tuple(
            RecordRow(shard=shard, i=i, image=image, original=original)
            for shard, i, image, original in records
        )

    def show_chosen_records(self, chosen: RecordsChosen, rows: tuple[RecordRow, ...]) -> None:
        if chosen is self.chosen:
            self.show_rows(rows, 0)

    def show_read_failure(self, chosen: RecordsChosen, reason: str) -> None:
        notify(self, f"the records cannot be read: {reason}", "error")

    @work(thread=True, group="shard", exclusive=True, exit_on_error=False)
    def read_shard(self, shard: int, cursor: int) -> None:
        from engine.operations.records import read_shard_records

        try:
            rows = tuple(
                RecordRow(shard=shard, i=i, image=image, original=original)
                for i, image, original in read_shard_records(self.project, shard)
            )
            self.post_message(ShardRead(shard, rows, cursor))
        except (BadInput, OSError, ValueError, KeyError) as error:
            self.post_message(
                RecordReadFailed(f"shard {shard:05} cannot be read: {describe_error(error)}")
            )

    @on(ShardRead)
    def shard_read(self, event: ShardRead) -> None:
        if event.shard == self.shard:
            self.show_rows(event.rows, event.cursor)

    def show_rows(self, rows: tuple[RecordRow, ...], cursor: int | None = None) -> None:
        """List records, with the cursor on the row `cursor`, if it is given."""
        table = self.table
        table.set_rows(rows, 0, len(rows), follow=cursor is None and not self.live)
        if cursor is not None:
            table.cursor = cursor
        elif self.live:
            table.cursor = 0
        self.grid.update()
        self.update_mode_line()

    @on(RecordReadFailed)
    def record_read_failed(self, event: RecordReadFailed) -> None:
        notify(self, event.reason, "error")

    def go_to(self, shard: int, i: int) -> None:
        """List the records of a shard, with the cursor on the record with index `i`."""
        self.live, self.chosen = False, None
        if self.shard == shard:
            self.table.cursor = i
        else:
            self.shard = shard
            self.read_shard(shard, i)
        self.update_mode_line()

    def action_live(self) -> None:
        self.live = not self.live
        if self.live:
            self.shard = self.chosen = None
            self.load()
            self.table.cursor = 0
        self.update_mode_line()

    async def action_back(self) -> None:
        if self.table.marked:
            self.table.marked.clear()
            self.table.refresh()
            self.grid.update()
            return
        if self.in_grid:
            self.action_grid()
            return
        if self.chosen is not None:
            self.action_live()
            await self.app.switch_mode(self.chosen_in)
        elif self.shard is not None:
            self.action_live()
        self.table.focus()

    def action_jump(self) -> None:
        from tui.dialogs.text_prompt import Ask

        hint = (
            "shard and place such as 7/120 or 7:120, a number through the whole input, or words of"
            " the image path or caption (the next match is shown)"
        )

        def answer(typed: str | None) -> None:
            if typed:
                current = self.table.current
                self.locate(typed, (current.shard, current.i) if current else (0, -1))

        self.app.push_screen(Ask("Jump to a record", hint), answer)

    @work(thread=True, group="locate", exclusive=True, exit_on_error=False)
    def locate(self, typed: str, after: RecordKey) -> None:
        """Search the record that `typed` names, or the next one after `after` that holds it."""
        from engine.operations.records import locate_record

        worker = get_current_worker()
        try:
            key = locate_record(self.project, typed, after, lambda: worker.is_cancelled)
            self.post_message(RecordLocated(key, typed))
        except (BadInput, OSError) as error:
            self.post_message(RecordReadFailed(str(error)))

    @on(RecordLocated)
    def record_located(self, event: RecordLocated) -> None:
        if event.key is None:
            notify(
                self,
                f"no image path or caption holds {event.text!r}; 7/120 or 7:120 goes to place 120"
                " of shard 7, a number to that place in the whole input",
                "warning",
            )
        else:
            self.go_to(*event.key)

    def update_mode_line(self) -> None:
        """Show in the top line, and the list's title, which records and views are chosen."""
        table = self.table
        if self.chosen is not None:
            table.border_title = content.title(f"{self.chosen.title}: esc goes back")
        else:
            where = "captioned lately" if self.shard is None else f"shard {self.shard:05}"
            table.border_title = f"Records: {where}, {text.number(table.total)}"
        live = "live (l)" if self.live else "live is off (l)"
        chosen = text.visible(self.model or (self.models or [""])[0])
        diff = f"differences from {chosen} (d, m)" if self.diff else "no diff (d)"
        view = VIEW_LABELS[captions.CAPTION_VIEWS[self.view_index]]
        line = f"{live}   {view} (b)   {diff}   // cut //   J jumps"
        self.query_one("#mode", Static).update(line)

    # The captions of one record

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        self.grid.cursor_moved()
        row = self.table.current
        if self.table.cursor and self.live:
            self.live = False
            self.update_mode_line()
        if row is not None and row != self.row:
            self.row = row
            if self.load_timer is not None:
                self.load_timer.stop()
            self.load_timer = self.set_timer(REST_SECONDS, lambda: self.load_record(row))
            self.refresh_keys()

    def load_record(self, row: RecordRow) -> None:
        """Start reading the image and the captions of a record."""
        self.read_image(row)
        self.preview.show(row.image)

    @work(thread=True, group="image", exclusive=True, exit_on_error=False)
    def read_image(self, row: RecordRow) -> None:
        from engine.operations.records import read_record

        try:
            self.post_message(ImageRead(row, read_record(self.project, row.shard, row.i)))
        except (OSError, ValueError, KeyError) as error:
            self.post_message(ImageRead(row, None, f"cannot be read: {describe_error(error)}"))

    @on(ImageRead)
    def image_read(self, event: ImageRead) -> None:
        if event.row == self.row:
            self.image, self.image_error = event.image, event.error
            self.draw_captions()

    def draw_captions(self) -> None:
        """Show the captions of the record under the cursor, or why there are none."""
        row, image = self.row, self.image
        if row is None:
            return
        if image is None:
            self.shown = Content(text.visible(self.image_error))
        else:
            view = captions.CAPTION_VIEWS[self.view_index]
            models = self.models
            if self.chosen is not None:  # the caption that the record was chosen for comes first
                models = sorted(models, key=lambda name: name != self.model)
            self.shown = captions.captions_content(image, models, view, self.model, self.diff)
        self.update_record_title()
        self.query_one("#captions", Static).update(self.shown)
        self.refresh_keys()

    def update_record_title(self) -> None:
        """Show in the captions pane's title which record it is, and whether it is flagged."""
        row = self.row
        if row is not None:
            flag = ", flagged (f)" if (row.shard, row.i) in self.flags else ""
            self.query_one(".detail").border_title = f"Captions of {row.shard:05}/{row.i}{flag}"

    # Flags

    def is_flagged(self, row: RecordRow) -> bool:
        """True if a person flagged the record, or one of its captions."""
        return (row.shard, row.i) in self.flagged_keys

    @property
    def flagged_keys(self) -> frozenset[RecordKey]:
        """The records that are flagged, or have a flagged caption."""
        return self.flags.union((shard, i) for shard, i, _ in self.flagged_captions)

    def action_flag(self) -> None:
        keys = self.chosen_keys()
        if keys:
            # One is turned over; of several, those without a flag get one if there are any.
            flagged = None if len(keys) == 1 else not self.flags.issuperset(keys)
            self.table.marked.clear()
            self.perform(lambda project: actions.flag(project, keys, flagged))

    def chosen_keys(self) -> list[RecordKey]:
        """Return the keys of the marked records, or of the one under the cursor if none is."""
        rows, marked = self.table.rows, self.table.marked
        keys = [(row.shard, row.i) for row in rows if self.table.row_key(row) in marked]
        current = self.table.current
        return keys or ([(current.shard, current.i)] if current is not None else [])

    def action_flag_caption(self) -> None:
        """Flag the caption of the chosen model for a reason, or take its flag away."""
        from tui.dialogs.text_prompt import Ask

        row, caption = self.row, self.chosen_caption
        if row is None or caption is None or self.image is None:
            return
        model = caption.model

        def flag(reason: str | None) -> None:
            self.perform(
                lambda project: actions.flag_caption(project, row.shard, row.i, model, reason)
            )

        def answer(typed: str | None) -> None:
            if typed:
                flag(typed)

        if model in self.image.caption_flags:
            flag(None)
        else:
            hint = f"What is wrong with what {model} says of {row.shard:05}/{row.i}?"
            self.app.push_screen(Ask("Flag a caption", hint), answer)

    def action_next_flag(self) -> None:
        """Go to the next flagged record of the data set; after the last one to the first."""
        current = self.table.current
        flags = sorted(self.flagged_keys)
        later = (each for each in flags if current is None or each > (current.shard, current.i))
        key = next(later, flags[0] if flags else None)
        if key is not None:
            self.go_to(*key)

    # How captions are shown

    def action_model(self) -> None:
        models = self.models
        if models:
            index = models.index(self.model) if self.model in models else 0
            self.model = models[(index + 1) % len(models)]
            self.grid.forget()
        self.update_mode_line()
        self.draw_captions()

    def action_diff(self) -> None:
        self.diff = not self.diff
        self.update_mode_line()
        self.draw_captions()

    def action_show(self) -> None:
        self.view_index = (self.view_index + 1) % len(captions.CAPTION_VIEWS)
        self.update_mode_line()
        self.draw_captions()

    def action_image(self) -> None:
        preview = self.preview
        preview.display = not preview.display
        self.set_class(not preview.display, "-no-image")
        if preview.display and self.row is not None:
            self.call_after_refresh(preview.show, self.row.image)

    def action_open_file(self) -> None:
        row = self.row
        if row is not None:
            self.run_and_notify(lambda: actions.open_image(self.project, row.image))

    @on(VirtualTable.Opened)
    def action_enlarge(self) -> None:
        if self.in_grid:
            self.action_grid()
        if self.has_class("-no-image"):
            self.action_image()
        super().action_enlarge()

    @property
    def in_grid(self) -> bool:
        """True if the records are shown as a grid of small pictures."""
        return self.has_class("-grid")

    def action_grid(self) -> None:
        """Show the records as a grid of small pictures, or one record with its captions again."""
        self.minimize()
        self.set_class(not self.in_grid, "-grid")
        (self.grid if self.in_grid else self.table).focus()
        self.call_after_refresh(self.grid.update)

    def read_caption(self, row: RecordRow) -> str:
        """Return the chosen model's caption of a record, else the original. Called in a thread."""
        from engine.operations.records import read_record

        record = read_record(self.project, row.shard, row.i)
        caption = chosen_caption(record, self.model)
        return (caption.sheared or caption.error or "") if caption else row.original

    @on(Preview.Stepped)
    def stepped(self, event: Preview.Stepped) -> None:
        self.table.action_move(event.by)

    def action_state(self) -> SamplesState:
        return SamplesState(
            session=self.session,
            has_focus=self.focused is not None,
            value_to_copy=self.text_to_copy(False),
            has_record=self.table.current is not None,
            has_caption=self.chosen_caption is not None,
            flags=len(self.flagged_keys),
        )

    @property
    def chosen_caption(self) -> SampledCaption | None:
        """What the chosen model said of the record, or the first one that said something."""
        return chosen_caption(self.image, self.model)

    def text_to_copy(self, row: bool) -> str | None:
        """Return the chosen model's sheared caption, or with `row` the whole captions pane."""
        if row:
            return self.shown.plain if self.image else None
        caption = self.chosen_caption
        return None if caption is None else caption.sheared


def chosen_caption(image: SampledImage | None, model: str | None) -> SampledCaption | None:
    """Return what a model said of a record, or the first one that said something."""
    by_model = {each.model: each for each in image.captions} if image else {}
    return by_model.get(model or "") or next(iter(by_model.values()), None)
