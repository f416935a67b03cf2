"""The Shards screen: every task (a shard for a model); filters, retries, skips and pins them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.formatting import text
from tui.formatting.text import describe_error
from tui.screens.project_screen import ProjectScreen
from tui.widgets.tables.shard_table import ShardTable
from tui.widgets.tables.table import VirtualTable
from tui.widgets.task_detail import TaskDetail

if TYPE_CHECKING:
    from db.task_pages import ShardPage, SortKey
    from tui.viewmodel.snapshot import Snapshot

PAGE_ROWS = 200
"""Rows that are read at once, around those on screen."""
ROWS_AHEAD = 40
"""Rows above and below the screen that must be loaded; with fewer a new page is read."""

SORTS: tuple[tuple[SortKey, str], ...] = (
    ("shard", "Shard"),
    ("model", "Model"),
    ("state", "State"),
    ("captioned", "Captioned"),
    ("failed", "Failed"),
    ("priority", "Prio"),
    ("attempt", "Tries"),
    ("updated", "Updated"),
    ("error", "Error"),
)
"""The orders of the rows: the key that the database sorts by, and the column's title."""
FILTER_HELP = "a word, or status:failed model:qwen gpu:3 tries>1 fail>100; ! negates"


@dataclass(frozen=True)
class TaskQuery:
    """A filter and a sort order of the tasks; `sort` is an index of `SORTS`."""

    filter: str = ""
    sort: int = 0
    descending: bool = False


@dataclass
class PageRead(Message):
    """A page of rows was read for `query`."""

    query: TaskQuery
    page: ShardPage


@dataclass
class PageRefused(Message):
    """No rows could be read for `query`, such as when its filter makes no sense."""

    query: TaskQuery
    reason: str


@dataclass
class MatchingTasksRead(Message):
    """The ids of all tasks that match the filter of `query` were read."""

    query: TaskQuery
    tasks: tuple[int, ...]


class Shards(ProjectScreen):
    """A table of all tasks with a filter, and the attempts of the task under the cursor.

    SQLite filters, sorts and counts; the table holds one page of rows.
    """

    MODE = "shards"
    HELP = "One row is one shard captioned by one model. Filter: " + FILTER_HELP
    AUTO_FOCUS = "ShardTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry(False)", "Retry", tooltip="Retry marked or current", id="shards.retry"),
        Binding(
            "R",
            "retry(True)",
            "Failed",
            tooltip="Retry only the failed records",
            id="shards.retry_failed",
        ),
        Binding("x", "skip", "Skip", False, tooltip="Skip, or take back", id="shards.skip"),
        Binding("slash", "filter", "Filter", tooltip="Filter the rows", id="shards.filter"),
        Binding("s", "sort", "Sort", False, tooltip="Sort by the next column", id="shards.sort"),
        Binding("S", "reverse", "Reverse", False, tooltip="Reverse the sort", id="shards.reverse"),
        Binding("a", "mark_all", "All", False, tooltip="Mark all that match", id="shards.all"),
        Binding("plus", "priority(1)", "Sooner", False, tooltip="Start sooner", id="shards.sooner"),
        Binding("minus", "priority(-1)", "Later", False, tooltip="Start later", id="shards.later"),
        Binding("P", "pin", "Pin", False, tooltip="Pin a device to the model", id="shards.pin"),
        Binding("o", "show", "Open", False, tooltip="Its captions in Samples", id="shards.show"),
        Binding("escape", "back", "Back", False, tooltip="Unmark, unfilter", id="shards.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.task_query = TaskQuery()
        """The filter and the sort of the rows that are to be shown."""
        self.loading_page = False
        """True while a thread reads a page."""
        self.load_again = False
        """True if a page is to be read once more after the reading under way."""

    def body(self) -> Iterable[Widget]:
        yield Input(placeholder=FILTER_HELP, id="filter", compact=True, select_on_focus=False)
        yield Static(id="count", markup=False)
        yield ShardTable(self.model_name, id="shards")
        with VerticalScroll(classes="detail", can_focus=True) as detail:
            detail.border_title = "Attempts and failed records"
            yield TaskDetail()

    def on_mount(self) -> None:
        self.query_one("#filter", Input).cursor_blink = False
        self.table.border_title = "Shards"
        self.table.sorted_by = SORTS[0][1]

    @property
    def table(self) -> ShardTable:
        return self.query_one(ShardTable)

    def show(self, snapshot: Snapshot) -> None:
        self.load()

    # The page

    def load(self) -> None:
        """Read the page around the rows on screen, after the one that is being read, if any."""
        if self.session.project is None:
            return
        if self.loading_page:
            self.load_again = True
            return
        self.loading_page = True
        first, last = self.table.visible_rows()
        first_row = max(0, (first + last - PAGE_ROWS) // 2)
        self.read_page(self.task_query, first_row)

    @work(thread=True, group="page", exit_on_error=False)
    def read_page(self, query: TaskQuery, first_row: int) -> None:
        from db.connection import reading
        from db.task_pages import FilterError, shard_page

        assert self.session.project is not None  # noqa: S101
        try:
            with reading(self.session.project.database) as connection:
                sort = SORTS[query.sort][0]
                page = shard_page(
                    connection, query.filter, sort, query.descending, first_row, limit=PAGE_ROWS
                )
            self.post_message(PageRead(query, page))
        except FilterError as error:
            self.post_message(PageRefused(query, str(error)))
        except Exception as error:
            self.post_message(PageRefused(query, describe_error(error)))

    @on(PageRead)
    def page_read(self, event: PageRead) -> None:
        page = event.page
        if self.finish_loading(event.query):
            self.table.set_rows(page.rows, page.offset, page.matching)
            self.update_count_line()

    @on(PageRefused)
    def page_refused(self, event: PageRefused) -> None:
        if self.finish_loading(event.query):
            self.query_one("#count", Static).update(text.visible(event.reason))

    def finish_loading(self, query: TaskQuery) -> bool:
        """End a reading and start the one that waits, if any.

        Return True if `query` is still the one whose rows are to be shown.
        """
        self.loading_page = False
        if self.load_again or query != self.task_query:
            self.load_again = False
            self.load()
        return query == self.task_query

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
            f"  by {SORTS[query.sort][1].lower()}, {order}"
        )

    def set_query(self, query: TaskQuery) -> None:
        """Show the rows of another filter or sort."""
        if query != self.task_query:
            self.task_query = query
            self.table.sorted_by = SORTS[query.sort][1]
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
        self.set_query(replace(self.task_query, sort=(self.task_query.sort + 1) % len(SORTS)))

    def action_reverse(self) -> None:
        self.set_query(replace(self.task_query, descending=not self.task_query.descending))

    def action_mark_all(self) -> None:
        self.read_matching_tasks(self.task_query)

    @work(thread=True, group="all", exit_on_error=False)
    def read_matching_tasks(self, query: TaskQuery) -> None:
        from db.connection import reading
        from db.task_pages import matching_tasks

        assert self.session.project is not None  # noqa: S101
        try:
            with reading(self.session.project.database) as connection:
                self.post_message(
                    MatchingTasksRead(query, matching_tasks(connection, query.filter))
                )
        except Exception as error:
            self.post_message(PageRefused(query, describe_error(error)))

    @on(MatchingTasksRead)
    def mark_all(self, event: MatchingTasksRead) -> None:
        if event.query.filter == self.task_query.filter:
            self.table.marked.update(event.tasks)
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

    def why_not(self, action: str) -> str | None:
        current = self.table.current
        if action in ("retry", "skip", "mark_all", "priority", "show") and current is None:
            return "no shard is shown" if action == "show" or not self.table.marked else None
        if (
            action == "skip"
            and not self.table.marked
            and current
            and current.state in ("done", "running")
        ):
            return "only what waits or has failed can be skipped"
        if (
            action == "priority"
            and not self.table.marked
            and current
            and current.state != "pending"
        ):
            return "only what waits has a priority"
        if action == "pin":
            snapshot = self.session.snapshot
            if snapshot is None or snapshot.supervisor is None:
                return "nothing is running"
            return "no shard is shown" if current is None else None
        return None

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
        tasks = self.chosen()
        scope = "only failed records of " if failed_items else ""
        consequence = (
            "Captions that are there stay as they are."
            if failed_items
            else "Every record is captioned again; what is there counts until then."
        )
        question = f"Retry {scope}{text.visible(self.tasks_phrase(tasks))}?"
        self.confirm_request(question, consequence, "retry", tasks=tasks, failed_items=failed_items)

    def action_skip(self) -> None:
        tasks, current = self.chosen(), self.table.current
        skip = not (current is not None and current.state == "skipped")
        tasks_phrase = text.visible(self.tasks_phrase(tasks))
        question = f"Skip {tasks_phrase}?" if skip else f"Take {tasks_phrase} back in?"
        consequence = "Skipped shards are not captioned until you take them back in (x again)."
        self.confirm_request(question, consequence, "skip", tasks=tasks, skip=skip)

    def action_priority(self, by: int) -> None:
        self.session.send_request("priority", tasks=self.chosen(), by=by)

    def action_show(self) -> None:
        if self.table.current is not None:
            self.session.show_record(self.table.current.shard, 0)

    def action_pin(self) -> None:
        from tui.dialogs.pin import Pin

        current, snapshot = self.table.current, self.session.snapshot
        if current is None or snapshot is None:
            return
        model = self.model_name(current.model_id)

        def answer(choice: tuple[str, str | None] | None) -> None:
            if choice is not None:
                self.session.send_request("pin", device=choice[0], model=choice[1])

        self.app.push_screen(Pin(snapshot.devices, model), answer)

    def confirm_request(self, question: str, consequence: str, kind: str, **payload: Any) -> None:
        """Ask a yes-no question; if the answer is yes, unmark all rows and send the request."""

        def on_yes() -> None:
            self.table.marked.clear()
            self.table.refresh()
            self.session.send_request(kind, **payload)

        self.confirm(question, consequence, on_yes)
