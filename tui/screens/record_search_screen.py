"""The search of the Samples screen, in all captions of the project."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from textual import on

from tui.formatting import text
from tui.screens.record_list_screen import RecordListScreen, rows_of_records
from tui.session.feedback import notify
from tui.threads.background_job import BackgroundJob
from tui.threads.page_loader import PageLoader
from tui.viewmodel import pages
from tui.widgets.tables.record_table import RecordRow
from tui.widgets.tables.table import VirtualTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.operations.search.matches import Matches, ShardMatches
    from engine.project.damage import Damage
    from engine.project.layout import Project
    from tui.session.messages import RecordsChosen
    from tui.session.session import Session

PAGE_ROWS = 120
"""Found records that are read at once, around those on screen: each may lie in another shard."""
SORTABLE = 100_000
"""Found records at most that can be sorted, since all of them are read for that: some 50 MB."""


class RecordSearchScreen(RecordListScreen):
    """A list of records that can also hold what a search has found, while it still goes on.

    A search runs in a process of its own, which hands over numbers alone. The records on screen are
    read a page at a time.
    """

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__(session, project)
        self.searched = ""
        """What was searched last."""
        self.matches: Matches | None = None
        """What was found; None before the first search."""
        self.lists_found = False
        """True while what was found is listed."""
        self.search_end = ""
        """How the last search ended, if not as it should."""
        self.search_job: BackgroundJob[list[Damage]] | None = None
        self.found_pages = PageLoader(
            self, self.read_found, self.show_found, lambda asked, reason: self.tell_failure(reason)
        )

    def on_unmount(self) -> None:
        self.cancel_search()

    # Searching

    @property
    def searching(self) -> bool:
        """True while a search goes on."""
        return self.search_job is not None and self.search_job.running

    def action_search(self) -> None:
        from engine.operations.search.query import SYNTAX
        from tui.dialogs.text_prompt import Ask

        def answer(typed: str | None) -> None:
            if typed:
                self.search(typed)

        lines = [f"{terms:<32} {meaning}" for terms, meaning in SYNTAX]
        hint = "\n".join(["All of these must be true of a caption:", *lines])
        dialog = Ask("Search all captions", hint, self.searched, check=self.query_problem)
        self.app.push_screen(dialog, answer)

    def query_problem(self, typed: str) -> str | None:
        """Return why a text cannot be searched, None if it can."""
        from engine.captioners.model_families import is_scorer
        from engine.operations.search.query import SearchError, parse_query

        snapshot = self.session.snapshot
        models = [model.row for model in snapshot.models] if snapshot else []
        try:
            parse_query(
                typed,
                [model.name for model in models if not is_scorer(model.family)],
                [model.name for model in models if is_scorer(model.family)],
            )
        except SearchError as error:
            return text.visible(error.problem)
        return None

    def search(self, typed: str) -> None:
        """Search for what a person typed, and list what is found."""
        from engine.operations.search.matches import Matches
        from engine.operations.search.run_search import run_search

        self.cancel_search()
        snapshot = self.session.snapshot
        names = [model.row.name for model in snapshot.captioners] if snapshot else []
        matches = self.matches = Matches(names)
        self.searched, self.search_end = typed, ""
        job: BackgroundJob[list[Damage]] = BackgroundJob(
            self,
            self.list_changed,
            partial(self.search_ended, matches),
            partial(self.search_failed, matches),
            partial(self.part_found, matches),
        )
        self.search_job = job
        self.list_found(0)
        job.start(run_search, self.project, typed, (), "en", self.session.readonly)
        self.list_changed()

    def cancel_search(self) -> None:
        """End the search that goes on; what it has found stays."""
        if self.search_job is not None:
            self.search_job.cancel()

    def part_found(self, matches: Matches, part: ShardMatches) -> None:
        """Add what was found in one more shard."""
        if matches is not self.matches:  # of a search that was cancelled
            return
        first = not len(matches)
        matches.add(part)
        if self.lists_found:
            self.table.total = len(matches)
            if first and len(matches):
                self.list_found(0)
            else:
                self.load_found()
        self.list_changed()

    def search_ended(self, matches: Matches, damage: Sequence[Damage]) -> None:
        if matches is not self.matches:
            return
        if damage:
            logs = text.plural(len(damage), "damaged log")
            self.search_end = f"without {logs}: Verify (V)"
            notify(self, f"captions of {logs} were left out: see Verify (V)", "warning")
        elif not len(matches):
            notify(self, f"nothing was found for {self.searched}", "warning")
        self.list_changed()

    def search_failed(self, matches: Matches, reason: str) -> None:
        """Show why a search ended; without a reason, it was cancelled."""
        if matches is not self.matches:
            return
        self.search_end = "not all: it was cancelled" if not reason else "not all: it failed"
        if reason:
            self.tell_failure(reason)
        self.list_changed()

    def tell_failure(self, reason: str) -> None:
        notify(self, reason, "error")

    @property
    def search_text(self) -> str:
        """What was searched and found last, for the top line of the screen."""
        if self.matches is None:
            return "/ searches, J jumps"
        going_on = " so far" if self.searching else ""
        return text.visible(f"/{self.searched}: {text.number(len(self.matches))}{going_on} (n N)")

    # The list of what was found

    def choose_list(
        self, live: bool = False, shard: int | None = None, chosen: RecordsChosen | None = None
    ) -> None:
        super().choose_list(live, shard, chosen)
        self.lists_found = False

    @property
    def lists_newest(self) -> bool:
        return super().lists_newest and not self.lists_found

    @property
    def list_title(self) -> str:
        if not self.lists_found or self.matches is None:
            return super().list_title
        parts = [f"Found: {self.searched}, {text.number(len(self.matches))}{self.order_text}"]
        if self.searching and self.search_job is not None:
            parts.append(f"searching{self.search_job.progress_text} (esc cancels)")
        return "  ".join(filter(None, [*parts, self.search_end]))

    def list_found(self, place: int) -> None:
        """List what was found, with the cursor on the record at a place."""
        matches = self.matches
        if matches is None:
            return
        if not self.lists_found:
            self.choose_list()
            self.lists_found = True
        self.table.sorted_by, self.descending = "", False
        self.listed = ()
        self.table.set_rows((), 0, len(matches), follow=False)
        self.table.cursor = place
        self.load_found()
        self.list_changed()

    def load_found(self) -> None:
        """Read the page around the rows on screen, unless its rows are there."""
        matches, table = self.matches, self.table
        if matches is None or len(table.rows) == len(matches):
            return
        first, last = self.rows_on_screen()
        loaded = range(table.first_loaded, table.first_loaded + len(table.rows))
        if first < last and not (first in loaded and last - 1 in loaded):
            start = max(0, (first + last - PAGE_ROWS) // 2)
            self.found_pages.load((matches, range(start, min(len(matches), start + PAGE_ROWS))))

    @on(VirtualTable.Scrolled)
    def scrolled(self) -> None:
        if self.lists_found:
            self.load_found()

    def read_found(self, asked: tuple[Matches, range]) -> tuple[RecordRow, ...]:
        """Read the records at some places of what was found. Called in a thread."""
        matches, places = asked
        return rows_of_records(pages.read_chosen_records(self.project, matches.keys(places)))

    def show_found(self, asked: tuple[Matches, range], rows: tuple[RecordRow, ...]) -> None:
        matches, places = asked
        if matches is not self.matches or not self.lists_found:
            return
        if self.table.sorted_by or self.descending:
            if len(rows) == len(matches):
                self.show_rows(rows)
            return
        self.table.set_rows(rows, places.start, len(matches), follow=False)
        self.list_changed()
        self.load_found()

    def sort_by(self, title: str, descending: bool = False) -> None:
        matches = self.matches
        if not self.lists_found or matches is None or self.listed:
            super().sort_by(title, descending)
        elif self.searching:
            notify(self, "what is found can be sorted when the search has ended", "warning")
        elif len(matches) > SORTABLE:
            most = text.number(SORTABLE)
            notify(
                self, f"at most {most} found records can be sorted: narrow the search", "warning"
            )
        else:
            self.table.sorted_by, self.descending = title, descending
            self.found_pages.load((matches, range(len(matches))))

    # Matches and random records

    def action_match(self, by: int) -> None:
        matches, current = self.matches, self.table.current
        if matches is None or not len(matches):
            return
        if self.lists_found:
            self.table.cursor = (self.table.cursor + by) % len(matches)
            return
        key = (current.shard, current.i) if current is not None else (0, -1)
        behind = matches.place_after(key)
        before = matches.place_after((key[0], key[1] - 1)) - 1
        self.list_found((behind if by > 0 else before) % len(matches))

    def action_random(self) -> None:
        snapshot = self.session.snapshot
        if self.lists_found and self.matches is not None and len(self.matches):
            self.table.cursor = random.randrange(len(self.matches))  # noqa: S311 (no secret)
        elif snapshot is not None and snapshot.records:
            number = random.randrange(snapshot.records)  # noqa: S311
            self.locate(str(number), (0, -1))
