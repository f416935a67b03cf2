"""The Shards screen: every task (a shard for a model); filters, retries, skips and pins them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.formatting import text
from tui.keys.shards import SHARDS_ACTIONS, ShardsState
from tui.screens.project_screen import ProjectScreen
from tui.session.messages import RecordChosen
from tui.threads.page_loader import PageLoader
from tui.viewmodel import actions, pages
from tui.viewmodel.pages import TaskQuery
from tui.widgets.tables.shard_table import ShardTable
from tui.widgets.tables.table import VirtualTable
from tui.widgets.task_detail import TaskDetail

if TYPE_CHECKING:
    from db.task_pages import ShardPage, SortKey
    from engine.project.layout import Project
    from engine.requests.kinds import Request
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot

PAGE_ROWS = 200
"""Rows that are read at once, around those on screen."""
ROWS_AHEAD = 40
"""Rows above and below the screen that must be loaded; with fewer a new page is read."""

TITLES: dict[SortKey, str] = {
    "shard": "Shard",
    "model": "Model",
    "state": "State",
    "captioned": "Captioned",
    "failed": "Failed",
    "priority": "Prio",
    "attempt": "Tries",
    "updated": "Updated",
    "error": "Error",
}
"""The orders of the rows, each with the title of the column that they are sorted by."""
SORTS = tuple(TITLES)
"""The orders, in which `s` goes through them."""
FILTER_HELP = "a word, or status:failed model:qwen gpu:3 tries>1 fail>100; - negates"


class Shards(ProjectScreen):
    """A table of all tasks with a filter, and the attempts of the task under the cursor.

    SQLite filters, sorts and counts; the table holds one page of rows.
    """

    MODE = "shards"
    HELP = "One row is one shard captioned by one model. Filter: " + FILTER_HELP
    AUTO_FOCUS = "ShardTable"
    BINDINGS: ClassVar[list[BindingType]] = [*SHARDS_ACTIONS]

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__(session, project)
        self.task_pages = PageLoader(
            self,
            self.read_page,
            self.show_page,
            lambda asked, reason: self.show_failure(asked[0], reason),
        )
        self.matching_tasks = PageLoader(
            self, partial(pages.read_matching_tasks, project), self.mark, self.show_failure
        )
        self.task_query = TaskQuery()
        """The filter and the sort of the rows that are to be shown."""

    def body(self) -> Iterable[Widget]:
        yield Input(placeholder=FILTER_HELP, id="filter", compact=True, select_on_focus=False)
        yield Static(id="count", markup=False)
        yield ShardTable(self.model_name, id="shards")
        with VerticalScroll(classes="detail", can_focus=True) as detail:
            detail.border_title = "Attempts and failed records"
            yield TaskDetail(self.project)

    def on_mount(self) -> None:
        self.query_one("#filter", Input).cursor_blink = False
        self.table.border_title = "Shards"
        self.table.sorted_by = TITLES[self.task_query.sort]

    @property
    def table(self) -> ShardTable:
        return self.query_one(ShardTable)

    def show(self, snapshot: Snapshot) -> None:
        self.load()

    # The page

    def load(self) -> None:
        """Read the page around the rows on screen."""
        if self.session.snapshot is not None:
            first, last = self.table.visible_rows()
            self.task_pages.load((self.task_query, max(0, (first + last - PAGE_ROWS) // 2)))

    def read_page(self, asked: tuple[TaskQuery, int]) -> ShardPage:
        """Read the page of a query that begins at the given row. Called in a thread."""
        query, first_row = asked
        return pages.read_tasks(self.project, query, first_row, PAGE_ROWS)

    def show_page(self, asked: tuple[TaskQuery, int], page: ShardPage) -> None:
        if asked[0] == self.task_query:
            self.table.set_rows(page.rows, page.offset, page.matching)
            self.update_count_line()

    def show_failure(self, query: TaskQuery, reason: str) -> None:
        """Show in the line above the table why a query has no rows, such as a bad filter."""
        if query == self.task_query:
            self.query_one("#count", Static).update(text.visible(reason))

    @on(VirtualTable.Scrolled)
    def scrolled(self) -> None:
        first, last = self.table.visible_rows()
        loaded_from = self.table.first_loaded
        loaded_until = loaded_from + len(self.table.rows)
        needed_from = max(0, first - ROWS_AHEAD)
        needed_until = min(self.table.total, last + ROWS_AHEAD)
        if needed_from < loaded_from or needed_until > loaded_until:
            self.load()

    def update_count_line(self) -> None:
        """Show how many rows are marked and match, and how they are sorted."""
        query, snapshot = self.task_query, self.session.snapshot
        tasks = sum(snapshot.tasks.values()) if snapshot else 0
        order = "descending" if query.descending else "ascending"
        marked = f"{text.number(len(self.table.marked))} marked  " if self.table.marked else ""
        self.query_one("#count", Static).update(
            f"{marked}{text.number(self.table.total)} of {text.number(tasks)}"
            f"  by {TITLES[query.sort].lower()}, {order}"
        )

    def set_query(self, query: TaskQuery) -> None:
        """Show the rows of another filter or sort."""
        if query != self.task_query:
            self.task_query = query
            self.table.sorted_by = TITLES[query.sort]
            self.table.refresh()
            self.load()

    # Filter and sort

    def filter_by(self, filter: str) -> None:
        """Enter `filter` in the filter field."""
        self.query_one("#filter", Input).value = filter
        self.table.focus()

    def action_filter(self) -> None:
        self.set_focus(self.query_one("#filter"))  # at once: the next keys belong to the field

    @on(Input.Changed, "#filter")
    def filter_changed(self, event: Input.Changed) -> None:
        self.set_query(replace(self.task_query, filter=event.value))

    @on(Input.Submitted, "#filter")
    def filter_entered(self) -> None:
        self.table.focus()

    def action_back(self) -> None:
        field = self.query_one("#filter", Input)
        if self.table.marked:
            self.table.marked.clear()
            self.table.refresh()
        elif field.value:
            field.value = ""
        self.table.focus()
        self.update_count_line()

    def action_sort(self) -> None:
        index = SORTS.index(self.task_query.sort)
        self.set_query(replace(self.task_query, sort=SORTS[(index + 1) % len(SORTS)]))

    def action_reverse(self) -> None:
        self.set_query(replace(self.task_query, descending=not self.task_query.descending))

    @on(ShardTable.HeadingClicked)
    def heading_clicked(self, event: ShardTable.HeadingClicked) -> None:
        """Sort by the column whose title was clicked, or reverse if the rows are sorted by it."""
        sort = next(sort for sort, title in TITLES.items() if title == event.title)
        if sort == self.task_query.sort:
            self.action_reverse()
        else:
            self.set_query(replace(self.task_query, sort=sort))

    def action_mark_all(self) -> None:
        self.matching_tasks.load(self.task_query)

    def mark(self, query: TaskQuery, tasks: tuple[int, ...]) -> None:
        """Mark the rows of these tasks, if they match the filter that is entered now."""
        if query.filter == self.task_query.filter:
            self.table.marked.update(tasks)
            self.table.refresh()
            self.update_count_line()
            self.refresh_keys()

    # The detail

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        self.update_count_line()
        self.refresh_keys()
        self.query_one(TaskDetail).show(self.table.current)

    @on(VirtualTable.Opened)
    def opened(self) -> None:
        from tui.dialogs.details import Details

        detail = self.query_one(TaskDetail)
        if self.table.current is not None:
            title = f"Shard {self.table.current.shard:05}"
            self.app.push_screen(Details(title, detail.shown))

    # Requests to the run

    def action_state(self) -> ShardsState:
        return ShardsState(
            session=self.session,
            has_focus=self.focused is not None,
            value_to_copy=self.text_to_copy(False),
            task=self.table.current,
            marked=bool(self.table.marked),
        )

    def text_to_copy(self, row: bool) -> str | None:
        task = self.table.current
        if task is None:
            return None
        if not row:
            return task.error or f"{task.shard:05}"
        cells = (column.cell(task) for column in self.table.columns)
        return "\t".join(cell if isinstance(cell, str) else cell[0] for cell in cells)

    def chosen(self) -> list[int]:
        """Return the ids of the marked tasks, or of the one under the cursor if none is marked."""
        if self.table.marked:
            return sorted(int(str(task)) for task in self.table.marked)
        return [self.table.current.id] if self.table.current is not None else []

    def tasks_phrase(self, tasks: list[int]) -> str:
        """Return how a question names these tasks."""
        current = self.table.current
        if len(tasks) == 1 and current is not None and current.id == tasks[0]:
            return f"shard {current.shard:05} of {self.model_name(current.model_id)}"
        return f"{text.plural(len(tasks), 'marked shard')}"

    def action_retry(self, failed_items: bool) -> None:
        from engine.requests.kinds import Retry

        tasks = self.chosen()
        scope = "only failed records of " if failed_items else ""
        consequence = (
            "Captions that are there stay. The images are decoded first: no model is loaded if none"
            " can be read."
            if failed_items
            else "Every record is captioned again; what is there counts until then."
        )
        question = f"Retry {scope}{text.visible(self.tasks_phrase(tasks))}?"
        if failed_items:
            self.confirm_action(
                question, consequence, lambda project: actions.retry_records(project, tasks)
            )
        else:
            self.confirm_request(question, consequence, Retry(tasks=tasks))

    def action_ask_again(self) -> None:
        from tui.dialogs.ask_again import AskAgain, AskedAgain

        tasks = self.chosen()

        def answer(asked: AskedAgain | None) -> None:
            if asked is not None:
                self.perform(
                    lambda project: actions.ask_again(project, asked.names, asked.changes, tasks)
                )

        self.app.push_screen(AskAgain(text.visible(self.tasks_phrase(tasks))), answer)

    def action_skip(self) -> None:
        from engine.requests.kinds import Skip

        tasks, current = self.chosen(), self.table.current
        skip = not (current is not None and current.state == "skipped")
        tasks_phrase = text.visible(self.tasks_phrase(tasks))
        question = f"Skip {tasks_phrase}?" if skip else f"Include {tasks_phrase} again?"
        consequence = "Skipped shards are not captioned until you include them again (x)."
        self.confirm_request(question, consequence, Skip(tasks=tasks, skip=skip))

    def action_priority(self, by: int) -> None:
        from engine.requests.kinds import Prioritise

        self.send_request(Prioritise(tasks=self.chosen(), by=by))

    def action_show(self) -> None:
        if self.table.current is not None:
            self.post_message(RecordChosen(self.table.current.shard, 0))

    def action_pin(self) -> None:
        from engine.requests.kinds import Pin as PinRequest
        from tui.dialogs.pin import Pin

        current, snapshot = self.table.current, self.session.snapshot
        if current is None or snapshot is None:
            return
        model = self.model_name(current.model_id)

        def answer(choice: tuple[str, str | None] | None) -> None:
            if choice is not None:
                self.send_request(PinRequest(device=choice[0], model=choice[1]))

        self.app.push_screen(Pin(snapshot.devices, model), answer)

    def confirm_request(self, question: str, consequence: str, request: Request) -> None:
        """Ask a yes-no question; if the answer is yes, unmark all rows and send the request."""
        self.confirm_action(
            question, consequence, lambda project: actions.send_request(project, request)
        )

    def confirm_action(
        self, question: str, consequence: str, action: Callable[[Project], str]
    ) -> None:
        """Ask a yes-no question; if the answer is yes, unmark all rows and run `action`."""

        def on_yes() -> None:
            self.table.marked.clear()
            self.table.refresh()
            self.perform(action)

        self.confirm(question, consequence, on_yes)
