"""The list of the Samples screen: which records are listed, and how a person gets to others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import on, work
from textual.worker import get_current_worker

from engine.utils.errors import BadInput
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.screens.project_screen import ProjectScreen
from tui.screens.samples_messages import (
    RecordLocated,
    RecordReadFailed,
    ShardRead,
    rows_of_samples,
)
from tui.session.feedback import notify
from tui.threads.page_loader import PageLoader
from tui.viewmodel import pages
from tui.widgets.tables.record_table import RecordRow, RecordTable
from tui.widgets.tables.table import VirtualTable

if TYPE_CHECKING:
    from db.rows import RecordKey, SampleRow
    from engine.project.layout import Project
    from tui.session.messages import RecordsChosen
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot

CAPTIONS_READ = 800
"""Sampled captions that are read for the list: with four models, those of 200 records."""


class RecordListScreen(ProjectScreen):
    """A screen with a table of records.

    It lists the records captioned lately, all records of a shard, or records that another screen
    chose. Subclasses yield `table` in `body`.
    """

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
        self.listed: tuple[RecordRow, ...] = ()
        """The rows of the list before they were sorted."""
        self.descending = False
        """True if the order of the rows is reversed."""
        self.table = RecordTable(self.label_of, id="records")

    def label_of(self, row: RecordRow) -> str:
        """Return what the table shows beside a record: `flag`, `bad`, `flag bad` or nothing."""
        raise NotImplementedError

    def list_changed(self) -> None:
        """Show everything that depends on which records are listed. Called when that changed."""
        raise NotImplementedError

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.latest_sample != self.newest and self.lists_newest:
            self.newest = snapshot.latest_sample
            self.load()

    @property
    def list_title(self) -> str:
        """Which records are listed."""
        if self.chosen is not None:
            return f"{self.chosen.title}: esc goes back"
        where = "captioned lately" if self.shard is None else f"shard {self.shard:05}"
        return f"Records: {where}, {text.number(self.table.total)}{self.order_text}"

    def show_rows(self, rows: tuple[RecordRow, ...], cursor: int | None = None) -> None:
        """List records, with the cursor on the one at the place `cursor` of `rows`, if given."""
        table = self.table
        self.listed = rows
        table.set_rows(self.in_order(rows), 0, len(rows), follow=cursor is None and not self.live)
        if cursor is not None and cursor < len(rows):
            self.move_to((rows[cursor].shard, rows[cursor].i))
        elif self.live:
            table.cursor = 0
        self.list_changed()

    def move_to(self, key: RecordKey) -> None:
        """Move the cursor to the record with this key, if it is listed."""
        rows = enumerate(self.table.rows, self.table.first_loaded)
        place = next((place for place, row in rows if (row.shard, row.i) == key), None)
        if place is not None:
            self.table.cursor = place

    # The order

    @property
    def order_text(self) -> str:
        """By what records are sorted, for the title of the list."""
        if not self.table.sorted_by:
            return ""
        return f", by {self.table.sorted_by.lower()}{', descending' * self.descending}"

    def in_order(self, rows: tuple[RecordRow, ...]) -> tuple[RecordRow, ...]:
        """Return rows in the order that was chosen."""
        if not self.table.sorted_by:
            return rows[::-1] if self.descending else rows
        return tuple(sorted(rows, key=self.table.sort_value, reverse=self.descending))

    def sort_by(self, title: str, descending: bool = False) -> None:
        """Sort by the column with a title; an empty one stands for the order as listed."""
        self.table.sorted_by, self.descending = title, descending
        self.show_rows(self.listed)

    def action_sort(self) -> None:
        titles = ["", *(column.title for column in self.table.columns)]
        place = titles.index(self.table.sorted_by)
        self.sort_by(titles[(place + 1) % len(titles)])

    def action_reverse(self) -> None:
        self.sort_by(self.table.sorted_by, not self.descending)

    @on(VirtualTable.HeadingClicked)
    def heading_clicked(self, event: VirtualTable.HeadingClicked) -> None:
        """Sort by the column whose title was clicked, or reverse if the rows are sorted by it."""
        same = event.title == self.table.sorted_by
        self.sort_by(event.title, same and not self.descending)

    @on(RecordReadFailed)
    def record_read_failed(self, event: RecordReadFailed) -> None:
        notify(self, event.reason, "error")

    def choose_list(
        self, live: bool = False, shard: int | None = None, chosen: RecordsChosen | None = None
    ) -> None:
        """List other records: those of a shard, those that were chosen, or those captioned lately.

        Whoever calls this reads them.
        """
        self.live, self.shard, self.chosen = live, shard, chosen
        self.table.marked.clear()

    def rows_on_screen(self) -> tuple[int, int]:
        """Return the index of the first record on screen, and the index after the last."""
        return self.table.visible_rows()

    # The records captioned lately

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

    def action_live(self) -> None:
        if self.live:
            self.live = False
        else:
            self.choose_list(live=True)
            self.load()
            self.table.cursor = 0
        self.list_changed()

    # Records that another screen chose

    def go_through(self, chosen: RecordsChosen, mode: str) -> None:
        """List records that were chosen in another mode, with the cursor on the first."""
        self.choose_list(chosen=chosen)
        self.chosen_in = mode
        self.chosen_records.load(chosen)
        self.list_changed()

    def read_chosen_records(self, chosen: RecordsChosen) -> tuple[RecordRow, ...]:
        return rows_of_records(pages.read_chosen_records(self.project, chosen.keys))

    def show_chosen_records(self, chosen: RecordsChosen, rows: tuple[RecordRow, ...]) -> None:
        if chosen is self.chosen:
            self.show_rows(rows, 0)

    def show_read_failure(self, chosen: RecordsChosen, reason: str) -> None:
        notify(self, f"the records cannot be read: {reason}", "error")

    # The records of a shard

    def go_to(self, shard: int, i: int) -> None:
        """List the records of a shard, with the cursor on the record with index `i`."""
        listed = self.shard == shard
        self.choose_list(shard=shard)
        if listed:
            self.move_to((shard, i))
        else:
            self.read_shard(shard, i)
        self.list_changed()

    @work(thread=True, group="shard", exclusive=True, exit_on_error=False)
    def read_shard(self, shard: int, cursor: int) -> None:
        from engine.operations.records import read_shard_records

        try:
            records = read_shard_records(self.project, shard)
            rows = rows_of_records((shard, *record) for record in records)
            self.post_message(ShardRead(shard, rows, cursor))
        except (BadInput, OSError, ValueError, KeyError) as error:
            self.post_message(
                RecordReadFailed(f"shard {shard:05} cannot be read: {describe_error(error)}")
            )

    @on(ShardRead)
    def shard_read(self, event: ShardRead) -> None:
        if event.shard == self.shard:
            self.show_rows(event.rows, event.cursor)

    # The jump to a record

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


def rows_of_records(records: Iterable[tuple[int, int, str, str]]) -> tuple[RecordRow, ...]:
    """Return a row for each shard, index, image and original caption of a record."""
    return tuple(
        RecordRow(shard=shard, i=i, image=image, original=original)
        for shard, i, image, original in records
    )
