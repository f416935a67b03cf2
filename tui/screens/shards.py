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
from tui.widgets.tables.table import Table
from tui.widgets.task_detail import TaskDetail

if TYPE_CHECKING:
    from db.task_pages import ShardPage, SortKey
    from tui.viewmodel.snapshot import Snapshot

PAGE = 200
MARGIN = 40
"""Rows beyond the screen that should be loaded."""

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
FILTER_HELP = "a word, or status:failed model:qwen gpu:3 tries>1 fail>100; ! negates"


@dataclass(frozen=True)
class Query:
    filter: str = ""
    sort: int = 0
    descending: bool = False


@dataclass
class PageRead(Message):
    query: Query
    page: ShardPage


@dataclass
class PageRefused(Message):
    query: Query
    reason: str


@dataclass
class AllMatching(Message):
    query: Query
    tasks: tuple[int, ...]


class Shards(ProjectScreen):
    """Every task; SQLite filters, sorts and counts, a page at a time."""

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

    question = Query()
    loading_page = False
    load_again = False

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
        """Reads the page around what is on screen; while one is read, at most one more waits."""
        if self.main.project is None:
            return
        if self.loading_page:
            self.load_again = True
            return
        self.loading_page = True
        first, last = self.table.visible_rows()
        offset = max(0, (first + last - PAGE) // 2)
        self.read_page(self.question, offset)

    @work(thread=True, group="page", exit_on_error=False)
    def read_page(self, query: Query, offset: int) -> None:
        from db.connection import reading
        from db.task_pages import FilterError, shard_page

        assert self.main.project is not None  # noqa: S101
        try:
            with reading(self.main.project.database) as connection:
                sort = SORTS[query.sort][0]
                page = shard_page(
                    connection, query.filter, sort, query.descending, offset, limit=PAGE
                )
            self.post_message(PageRead(query, page))
        except FilterError as error:
            self.post_message(PageRefused(query, str(error)))
        except Exception as error:
            self.post_message(PageRefused(query, describe_error(error)))

    @on(PageRead)
    def page_read(self, event: PageRead) -> None:
        page = event.page
        if self.page_done(event.query):
            self.table.set_rows(page.rows, page.offset, page.matching)
            self.say_count()

    @on(PageRefused)
    def page_refused(self, event: PageRefused) -> None:
        if self.page_done(event.query):
            self.query_one("#count", Static).update(text.visible(event.reason))

    def page_done(self, query: Query) -> bool:
        """Whether the answer is to the present question."""
        self.loading_page = False
        if self.load_again or query != self.question:
            self.load_again = False
            self.load()
        return query == self.question

    @on(Table.Scrolled)
    def scrolled(self) -> None:
        first, last = self.table.visible_rows()
        have, until = self.table.offset_of_rows, self.table.offset_of_rows + len(self.table.rows)
        wanted = max(0, first - MARGIN), min(self.table.total, last + MARGIN)
        if wanted[0] < have or wanted[1] > until:
            self.load()

    def say_count(self) -> None:
        query, snapshot = self.question, self.main.snapshot
        tasks = sum(snapshot.tasks.values()) if snapshot else 0
        order = "descending" if query.descending else "ascending"
        marked = f"{text.number(len(self.table.marked))} marked  " if self.table.marked else ""
        self.query_one("#count", Static).update(
            f"{marked}{text.number(self.table.total)} of {text.number(tasks)}"
            f"  by {SORTS[query.sort][1].lower()}, {order}"
        )

    def ask_for(self, query: Query) -> None:
        if query != self.question:
            self.question = query
            self.table.sorted_by = SORTS[query.sort][1]
            self.table.refresh()
            self.load()

    # Filter and sort

    def filter_by(self, words: str) -> None:
        self.query_one("#filter", Input).value = words
        self.table.focus()

    def action_filter(self) -> None:
        self.set_focus(self.query_one("#filter"))  # at once: what is typed on is no command

    @on(Input.Changed, "#filter")
    def filter_changed(self, event: Input.Changed) -> None:
        self.ask_for(replace(self.question, filter=event.value))

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
        self.say_count()

    def action_sort(self) -> None:
        self.ask_for(replace(self.question, sort=(self.question.sort + 1) % len(SORTS)))

    def action_reverse(self) -> None:
        self.ask_for(replace(self.question, descending=not self.question.descending))

    def action_mark_all(self) -> None:
        self.find_all(self.question)

    @work(thread=True, group="all", exit_on_error=False)
    def find_all(self, query: Query) -> None:
        from db.connection import reading
        from db.task_pages import matching_tasks

        assert self.main.project is not None  # noqa: S101
        try:
            with reading(self.main.project.database) as connection:
                self.post_message(AllMatching(query, matching_tasks(connection, query.filter)))
        except Exception as error:
            self.post_message(PageRefused(query, describe_error(error)))

    @on(AllMatching)
    def mark_all(self, event: AllMatching) -> None:
        if event.query.filter == self.question.filter:
            self.table.marked.update(event.tasks)
            self.table.refresh()
            self.say_count()
            self.refresh_keys()

    # The detail

    @on(Table.Moved)
    def moved(self) -> None:
        self.say_count()
        self.refresh_keys()
        self.query_one(TaskDetail).show(self.table.current)

    @on(Table.Opened)
    def opened(self) -> None:
        from tui.dialogs.details import Details

        detail = self.query_one(TaskDetail)
        if self.table.current is not None:
            title = f"Shard {self.table.current.shard:05}"
            self.app.push_screen(Details(title, detail.shown))

    # What is asked of the run

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
            snapshot = self.main.snapshot
            if snapshot is None or snapshot.supervisor is None:
                return "nothing is running"
            return "no shard is shown" if current is None else None
        return None

    def copied(self, row: bool) -> str | None:
        task = self.table.current
        if task is None:
            return None
        if not row:
            return task.error or f"{task.shard:05}"
        cells = (column.cell(task) for column in self.table.columns)
        return "\t".join(cell if isinstance(cell, str) else cell[0] for cell in cells)

    def chosen(self) -> list[int]:
        """The marked tasks, else the current one."""
        if self.table.marked:
            return sorted(int(str(task)) for task in self.table.marked)
        return [self.table.current.id] if self.table.current is not None else []

    def named(self, tasks: list[int]) -> str:
        current = self.table.current
        if len(tasks) == 1 and current is not None and current.id == tasks[0]:
            return f"shard {current.shard:05} of {self.model_name(current.model_id)}"
        return f"{text.plural(len(tasks), 'marked shard')}"

    def action_retry(self, failed_items: bool) -> None:
        tasks = self.chosen()
        what = "only failed records of " if failed_items else ""
        kept = (
            "Captions that are there stay as they are."
            if failed_items
            else "Every record is captioned again; what is there counts until then."
        )
        question = f"Retry {what}{text.visible(self.named(tasks))}?"
        self.confirm_ask(question, kept, "retry", tasks=tasks, failed_items=failed_items)

    def action_skip(self) -> None:
        tasks, current = self.chosen(), self.table.current
        skip = not (current is not None and current.state == "skipped")
        named = text.visible(self.named(tasks))
        question = f"Skip {named}?" if skip else f"Take {named} back in?"
        kept = "Skipped shards are not captioned until you take them back in (x again)."
        self.confirm_ask(question, kept, "skip", tasks=tasks, skip=skip)

    def action_priority(self, by: int) -> None:
        self.main.ask("priority", tasks=self.chosen(), by=by)

    def action_show(self) -> None:
        if self.table.current is not None:
            self.main.show_record(self.table.current.shard, 0)

    def action_pin(self) -> None:
        from tui.dialogs.pin import Pin

        current, snapshot = self.table.current, self.main.snapshot
        if current is None or snapshot is None:
            return
        model = self.model_name(current.model_id)

        def answer(choice: tuple[str, str | None] | None) -> None:
            if choice is not None:
                self.main.ask("pin", device=choice[0], model=choice[1])

        self.app.push_screen(Pin(snapshot.devices, model), answer)

    def confirm_ask(self, question: str, kept: str, kind: str, **payload: Any) -> None:
        def then() -> None:
            self.table.marked.clear()
            self.table.refresh()
            self.main.ask(kind, **payload)

        self.confirm(question, kept, then)
