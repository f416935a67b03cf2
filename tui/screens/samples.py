"""The Samples screen: an image with what every model says of it, raw and sheared, side by side.

Records can be flagged here, and captions rated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.binding import BindingType
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from db.rows import ORIGINAL_ID
from tui.formatting import content, text
from tui.keys.samples import SAMPLES_ACTIONS, SamplesState
from tui.screens.record_search_screen import RecordSearchScreen
from tui.viewmodel import actions, pages
from tui.widgets.captions_pane import CaptionsPane, chosen_caption
from tui.widgets.preview import Preview, PreviewScreen
from tui.widgets.tables.record_table import RecordRow
from tui.widgets.tables.table import VirtualTable
from tui.widgets.thumbnail_grid import ThumbnailGrid

if TYPE_CHECKING:
    from db.rows import CaptionKey, Rating, RecordKey
    from engine.operations.records import SampledCaption
    from engine.project.layout import Project
    from tui.session.messages import RecordsChosen
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot

REST_SECONDS = 0.08
"""Seconds that the cursor must rest on a record before its image and captions are read."""
NO_RECORD = "no record is listed"
"""What is shown in place of image and captions while the list is empty."""


class Samples(PreviewScreen[None], RecordSearchScreen):
    """A list of records, and the image and the captions of the record under the cursor."""

    MODE = "samples"
    HELP = (
        "Text between // and // was cut by shearing and is not exported. The list shows what was"
        " captioned lately, after / what is found in all captions, after J or from Shards all"
        " records of a shard, or from Quality the worst captions. t shows many small pictures, Z"
        " one on the whole screen. f flags the record (after t, those marked with space), + and -"
        " rate the caption of the chosen model (m) good or bad, with a reason: export can leave"
        " out flagged records and bad captions, or take only those."
    )
    AUTO_FOCUS = "RecordTable"
    BINDINGS: ClassVar[list[BindingType]] = [*SAMPLES_ACTIONS]

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__(session, project)
        self.flags: frozenset[RecordKey] = frozenset()
        """The flagged records."""
        self.ratings: Mapping[CaptionKey, Rating] = {}
        """What people said of captions."""
        self.words: Mapping[RecordKey, str] = {}
        """The worst rating of each record of which a caption is rated."""
        self.captions = CaptionsPane(project, lambda: self.models)
        self.preview = Preview(
            partial(pages.find_image, project), session.image_support, id="preview"
        )
        self.grid = ThumbnailGrid(
            self.table, self.preview.resolve, self.read_caption, self.caption_label, id="grid"
        )
        self.load_timer: Timer | None = None
        """Starts reading the record under the cursor when the cursor rests."""

    def body(self) -> Iterable[Widget]:
        yield Static(id="mode", markup=False)
        yield self.preview
        yield self.captions
        yield self.table
        yield self.grid

    def on_mount(self) -> None:
        self.list_changed()

    @property
    def models(self) -> list[str]:
        """The names of the models that write captions."""
        snapshot = self.session.snapshot
        return [model.row.name for model in snapshot.captioners] if snapshot else []

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        if (snapshot.flagged, snapshot.ratings) != (self.flags, self.ratings):
            self.flags, self.ratings = snapshot.flagged, snapshot.ratings
            ratings = sorted(self.ratings.items(), key=lambda it: not it[1].good)
            self.words = {key[:2]: rating.word for key, rating in ratings}
            self.table.refresh()
            self.grid.update()
            self.update_record_title()
            if self.captions.row is not None:
                self.captions.read(self.captions.row)
        self.update_mode_line()

    # The list

    def list_changed(self) -> None:
        self.captions.chosen_first = self.chosen is not None or self.lists_found
        self.table.border_title = content.title(self.list_title)
        self.grid.update()
        self.update_mode_line()

    def rows_on_screen(self) -> tuple[int, int]:
        page = self.grid.page
        return (page.start, page.stop) if self.in_grid else super().rows_on_screen()

    def go_through(self, chosen: RecordsChosen, mode: str) -> None:
        self.captions.model = chosen.model if chosen.model in self.models else None
        super().go_through(chosen, mode)

    async def action_back(self) -> None:
        if self.table.marked:
            self.table.marked.clear()
            self.table.refresh()
            self.grid.update()
            return
        if self.in_grid:
            self.action_grid()
            return
        if self.searching:
            self.cancel_search()
        elif self.chosen is not None:
            self.action_live()
            await self.app.switch_mode(self.chosen_in)
        elif not self.lists_newest:
            self.action_live()
        self.table.focus()

    def update_mode_line(self) -> None:
        """Show in the top line which records and views are chosen."""
        pane = self.captions
        live = "live (l)" if self.live else "live is off (l)"
        chosen = text.visible(pane.model or (self.models or [""])[0])
        diff = f"differences from {chosen} (d, m)" if pane.diff else "no diff (d)"
        line = f"{live}   {pane.view_label} (b)   {diff}   // cut //   {self.search_text}"
        self.query_one("#mode", Static).update(line)

    # The record under the cursor

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        self.grid.cursor_moved()
        if self.lists_found:
            self.load_found()
        row = self.table.current
        if not self.table.total:
            self.clear_record()
        if self.table.cursor and self.live:
            self.live = False
            self.update_mode_line()
        if row is not None and row != self.captions.row:
            self.captions.row = row
            if self.lists_found and self.matches is not None:
                self.captions.model = self.matches.model_of((row.shard, row.i))
            if self.load_timer is not None:
                self.load_timer.stop()
            self.load_timer = self.set_timer(REST_SECONDS, lambda: self.load_record(row))
            self.refresh_keys()

    def load_record(self, row: RecordRow) -> None:
        """Start reading the image and the captions of a record."""
        self.captions.read(row)
        self.preview.show(row.image)

    def clear_record(self) -> None:
        """Show neither image nor captions, since no record is listed."""
        if self.captions.row is not None:
            if self.load_timer is not None:
                self.load_timer.stop()
            self.captions.clear(NO_RECORD)
            self.preview.show_no_image(NO_RECORD)
            self.refresh_keys()

    @on(CaptionsPane.Drawn)
    def captions_drawn(self) -> None:
        self.update_record_title()
        self.update_mode_line()
        self.refresh_keys()

    def update_record_title(self) -> None:
        """Show in the captions pane's title which record it is, and whether it is flagged."""
        row = self.captions.row
        if row is None:
            self.captions.border_title = "Captions"
        else:
            flag = ", flagged (f)" if (row.shard, row.i) in self.flags else ""
            self.captions.border_title = f"Captions of {row.shard:05}/{row.i}{flag}"

    # Flags

    def label_of(self, row: RecordRow) -> str:
        """Return what a person said of a record: its flag, its worst rating, or both."""
        return self.label(row, self.words.get((row.shard, row.i), ""))

    def caption_label(self, row: RecordRow) -> str:
        """Return what a person said of a record, or of the caption of the chosen model."""
        snapshot, key = self.session.snapshot, (row.shard, row.i)
        models = {it.row.name: it.row.id for it in snapshot.captioners} if snapshot else {}
        first = next(iter(models.values()), ORIGINAL_ID)
        rating = self.ratings.get((*key, models.get(self.captions.model or "", first)))
        return self.label(row, rating.word if rating is not None else "")

    def label(self, row: RecordRow, rating: str) -> str:
        """Return `flag` if a record is flagged, with the word of a rating behind it."""
        flag = "flag" if (row.shard, row.i) in self.flags else ""
        return f"{flag} {rating}".strip()

    @property
    def flagged_keys(self) -> frozenset[RecordKey]:
        """The records that are flagged, or have a bad caption."""
        bad = (key[:2] for key, rating in self.ratings.items() if not rating.good)
        return self.flags.union(bad)

    def action_flag(self) -> None:
        keys = self.chosen_keys()
        if keys:
            # One is turned over; of several, those without a flag get one if there are any.
            flagged = None if len(keys) == 1 else not self.flags.issuperset(keys)
            self.table.marked.clear()
            self.perform(lambda project: actions.flag(project, keys, flagged))

    def chosen_keys(self) -> list[RecordKey]:
        """Return the keys of the marked records, or of the one under the cursor if none is."""
        keys = sorted(cast("set[RecordKey]", self.table.marked))
        current = self.table.current
        return keys or ([(current.shard, current.i)] if current is not None else [])

    def action_rate(self, good: bool) -> None:
        """Call the captions that the chosen model made of the chosen records good or bad."""
        from tui.dialogs.rate import ask_rating

        caption, keys = self.chosen_caption, self.chosen_keys()
        snapshot = self.session.snapshot
        if caption is None or snapshot is None or not keys:
            return
        model = caption.model
        ids = {it.row.name: it.row.id for it in snapshot.captioners}
        before = {self.ratings.get((*key, ids[model])) for key in keys}
        whose = f"the caption of {model} for {keys[0][0]:05}/{keys[0][1]}"
        if len(keys) > 1:
            whose = f"each of {model}'s captions of {text.plural(len(keys), 'record')}"

        def rate(rating: Rating | None) -> None:
            self.table.marked.clear()
            self.perform(lambda project: actions.rate(project, keys, model, rating))

        ask_rating(self.app, good, whose, before.pop() if len(before) == 1 else None, rate)

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
        self.captions.next_model()
        self.grid.forget()
        self.update_mode_line()

    def action_diff(self) -> None:
        self.captions.toggle_diff()
        self.update_mode_line()

    def action_show(self) -> None:
        self.captions.next_view()
        self.update_mode_line()

    def action_image(self) -> None:
        preview, row = self.preview, self.captions.row
        preview.display = not preview.display
        self.set_class(not preview.display, "-no-image")
        if preview.display and row is not None:
            self.call_after_refresh(preview.show, row.image)

    def action_open_file(self) -> None:
        row = self.captions.row
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
        caption = chosen_caption(record, self.captions.model)
        return (caption.sheared or caption.error or "") if caption else row.original

    @on(Preview.Stepped)
    def stepped(self, event: Preview.Stepped) -> None:
        self.table.action_move(event.by)

    # Keys

    def action_state(self) -> SamplesState:
        return SamplesState(
            session=self.session,
            has_focus=self.focused is not None,
            value_to_copy=self.text_to_copy(False),
            has_record=self.table.current is not None,
            has_caption=self.chosen_caption is not None,
            matches=0 if self.matches is None else len(self.matches),
            flags=len(self.flagged_keys),
        )

    @property
    def chosen_caption(self) -> SampledCaption | None:
        """What the chosen model said of the record, or the first one that said something."""
        return self.captions.chosen_caption

    def text_to_copy(self, row: bool) -> str | None:
        return self.captions.text_to_copy(row)
