from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui.formatting import text
from tui.screens.project_screen import ProjectScreen
from tui.viewmodel import actions
from tui.viewmodel.failure_hints import hint_for
from tui.widgets.tables.cause_table import CauseTable
from tui.widgets.tables.occurrence_table import OccurrenceTable
from tui.widgets.tables.table import Table

if TYPE_CHECKING:
    from db.failures import Cause, Grouping, Occurrence
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot

SHOWN = 5_000


@dataclass
class CausesRead(Message):
    by: Grouping
    causes: tuple[Cause, ...]


@dataclass
class OccurrencesRead(Message):
    cause: Cause
    rows: tuple[Occurrence, ...]


class Failures(ProjectScreen):
    """What failed, by cause; acts on a whole cause, or on single records in the second table."""

    MODE = "failures"
    HELP = (
        "In the upper table a key acts on everything that failed for that cause, in the lower on"
        " the marked or current rows. An excluded record stays failed and is not asked for again."
    )
    AUTO_FOCUS = "CauseTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Retry", tooltip="Retry the cause or the rows", id="failures.retry"),
        Binding("x", "exclude", "Exclude", tooltip="Give up on records", id="failures.exclude"),
        Binding("o", "show", "Show", tooltip="Show the record in Samples", id="failures.show"),
        Binding("w", "write", "CSV", tooltip="Write failures as CSV", id="failures.write"),
        Binding("s", "group", "Group", tooltip="By cause, model or shard", id="failures.group"),
        Binding("escape", "back", "Back", False, tooltip="Unmark, go up", id="failures.back"),
    ]

    seen: object = None
    reading = False
    again = False
    cause: Cause | None = None
    by: Grouping = "cause"

    def body(self) -> Iterable[Widget]:
        yield CauseTable(self.model_name, id="causes")
        yield OccurrenceTable(self.model_name, id="occurrences")
        with VerticalScroll(classes="detail", can_focus=True) as detail:
            detail.border_title = "Detail"
            yield Static(id="detail", markup=False)

    def on_mount(self) -> None:
        self.causes.border_title = "Failures by cause"
        self.occurrences.border_title = "Occurrences"
        self.say()

    @property
    def causes(self) -> CauseTable:
        return self.query_one(CauseTable)

    @property
    def occurrences(self) -> OccurrenceTable:
        return self.query_one(OccurrenceTable)

    def show(self, snapshot: Snapshot) -> None:
        seen = snapshot.failed, tuple(snapshot.tasks.items()), snapshot.events[:1]
        if seen != self.seen:
            self.seen = seen
            self.load()

    # Reading

    def load(self) -> None:
        self.again = self.reading
        if not self.reading and self.main.project is not None:
            self.reading = True
            self.read_causes(self.by)

    @work(thread=True, group="causes", exit_on_error=False)
    def read_causes(self, by: Grouping) -> None:
        from db import failures
        from db.connection import reading

        assert self.main.project is not None  # noqa: S101
        try:
            with reading(self.main.project.database) as connection:
                self.post_message(CausesRead(by, failures.causes(connection, by)))
        finally:
            self.reading = False

    @on(CausesRead)
    def causes_read(self, event: CausesRead) -> None:
        if event.by == self.by:
            self.causes.group_by(event.by)
            self.causes.set_rows(event.causes, 0, len(event.causes))
            self.causes.border_title = f"Failures by {event.by}"
        if self.again or event.by != self.by:
            self.load()
        if not event.causes:
            self.cause = None
            self.occurrences.set_rows((), 0, 0)
            self.say()

    @on(Table.Moved, "#causes")
    def cause_moved(self) -> None:
        if self.causes.current != self.cause:
            if self.cause is None or not self.cause.same(self.causes.current):
                self.occurrences.marked.clear()
            self.cause = self.causes.current
            if self.cause is not None:
                self.read_occurrences(self.cause)
        self.say()

    @work(thread=True, group="occurrences", exclusive=True, exit_on_error=False)
    def read_occurrences(self, cause: Cause) -> None:
        from db import failures
        from db.connection import reading

        assert self.main.project is not None  # noqa: S101
        with reading(self.main.project.database) as connection:
            rows = failures.occurrences(connection, cause, SHOWN)
        self.post_message(OccurrencesRead(cause, rows))

    @on(OccurrencesRead)
    def occurrences_read(self, event: OccurrencesRead) -> None:
        if event.cause == self.cause:
            self.occurrences.set_rows(event.rows, 0, len(event.rows))
            rest = event.cause.count - len(event.rows)
            some = f" of {text.number(event.cause.count)} (w writes all)" if rest > 0 else ""
            self.occurrences.border_title = f"Occurrences: {text.number(len(event.rows))}{some}"
            self.say()

    @on(Table.Moved, "#occurrences")
    def occurrence_moved(self) -> None:
        self.say()

    @on(Table.Opened, "#causes")
    def cause_opened(self) -> None:
        self.occurrences.focus()

    @on(Table.Opened, "#occurrences")
    def occurrence_opened(self) -> None:
        from tui.dialogs.details import Details

        self.app.push_screen(Details("Failure", self.detail()))

    def say(self) -> None:
        self.query_one("#detail", Static).update(self.detail())
        self.refresh_keys()

    def detail(self) -> Content:
        cause, row = self.cause, self.occurrences.current
        if cause is None:
            return Content.styled("nothing failed", "$foreground-muted")
        hint = hint_for(cause)
        models = ", ".join(map(text.visible, cause.models))
        counted = text.plural(cause.count, cause.scope)
        if cause.scope == "record":
            counted += f" in {text.plural(cause.shards, 'shard')}"
        parts = [
            Content.assemble((text.visible(cause.kind), "bold $text-error")),
            Content(f"{counted} of {models}"),
            Content.assemble(("hint  ", "$foreground-muted"), hint.what),
        ]
        if row is not None:
            place = f"{row.shard:05}" + ("" if row.record is None else f"/{row.record}")
            device = f"  on {text.visible(row.device)}" if row.device else ""
            parts += [
                Content(""),
                Content(f"{place}  {text.visible(self.model_name(row.model_id))}{device}"),
                Content(f"{text.day_and_clock(row.updated)}, attempt {row.attempt}"),
                Content(text.visible(row.detail)),
            ]
        return Content("\n").join(parts)

    # Acting

    @property
    def single(self) -> bool:
        """Whether a key is about rows of the lower table."""
        return self.occurrences.has_focus

    def chosen(self) -> list[Occurrence]:
        rows, marked = self.occurrences.rows, self.occurrences.marked
        if marked:
            return [row for row in rows if self.occurrences.key(row) in marked]
        return [self.occurrences.current] if self.occurrences.current is not None else []

    def why_not(self, action: str) -> str | None:
        if action not in ("retry", "exclude", "show", "write", "open", "mark"):
            return None
        if self.cause is None:
            return "nothing failed"
        if action == "exclude" and self.cause.scope == "shard":
            return "only records can be excluded; x on Shards skips a shard"
        if action == "exclude" and self.cause.kind in ("excluded", "empty"):
            return "these are not asked for anyway"
        if action == "retry" and self.cause.kind == "empty":
            return "shearing again would give the same"
        current = self.occurrences.current
        if action == "show" and (current is None or current.record is None):
            return "no single record is chosen"
        return None

    def copied(self, row: bool) -> str | None:
        current = self.occurrences.current
        if not self.single or current is None:
            return self.cause.kind if self.cause else None
        if not row:
            return current.detail
        model = self.model_name(current.model_id)
        record = "" if current.record is None else str(current.record)
        return f"{current.shard:05}\t{record}\t{model}\t{current.detail}"

    def action_retry(self) -> None:
        cause = self.cause
        if cause is None:
            return
        if self.single:
            tasks = sorted({row.task_id for row in self.chosen()})
            named = text.plural(len(tasks), "chosen shard")
            failed_items = cause.scope == "record"
            self.confirm_call(
                f"Retry {'the failed records of ' if failed_items else ''}{named}?",
                "Captions that are there stay as they are.",
                lambda project: actions.ask(
                    project, "retry", tasks=tasks, failed_items=failed_items
                ),
            )
            return
        counted = text.plural(cause.count, f"failed {cause.scope}")
        where = "" if cause.scope == "shard" else f" in {text.plural(cause.shards, 'shard')}"
        self.confirm_call(
            f"Retry {counted}{where}{self.of(cause)}: {text.clip(text.visible(cause.kind), 60)}?",
            "Captions that are there stay as they are. Other failed records of these shards"
            " are tried again as well.",
            lambda project: actions.retry_cause(project, cause),
        )

    def of(self, cause: Cause) -> str:
        """In words, which part of a cause a grouped row is."""
        if cause.model_id is not None:
            return f" of {text.visible(self.model_name(cause.model_id))}"
        return "" if cause.shard is None else f" of shard {cause.shard:05}"

    def action_exclude(self) -> None:
        cause = self.cause
        if cause is None:
            return
        kept = "Counted as failed, left out of exports, not asked for again (r takes back)."
        if self.single:
            places: dict[int, list[int]] = {}
            for row in self.chosen():
                if row.record is not None:
                    places.setdefault(row.task_id, []).append(row.record)
            count = sum(map(len, places.values()))
            self.confirm_call(
                f"Exclude {text.plural(count, 'record')}?",
                kept,
                lambda project: actions.exclude_records(project, list(places.items())),
            )
            return
        counted = f"{text.plural(cause.count, 'record')} in {text.plural(cause.shards, 'shard')}"
        self.confirm_call(
            f"Exclude {'all ' if cause.count > 1 else ''}{counted}{self.of(cause)} that failed as"
            f" {text.clip(text.visible(cause.kind), 40)}?",
            kept,
            lambda project: actions.exclude_cause(project, cause),
        )

    def confirm_call(self, question: str, kept: str, action: Callable[[Project], str]) -> None:
        def then() -> None:
            self.occurrences.marked.clear()
            self.occurrences.refresh()
            self.main.call(action)

        self.confirm(question, kept, then)

    def action_show(self) -> None:
        row = self.occurrences.current
        if row is not None and row.record is not None:
            self.main.show_record(row.shard, row.record)

    def action_write(self) -> None:
        from tui.dialogs.text_prompt import Ask

        project = self.main.project
        if project is None:
            return
        cause = self.cause if self.single else None
        what = "the failures of this cause" if cause else "every failure"
        name = f"{project.name}-failures.csv"

        def answer(path: str | None) -> None:
            if path:
                out = Path(path).expanduser()
                self.tell_of(lambda: actions.write_failures(project, out, cause))

        self.app.push_screen(Ask("Write CSV", f"Write {what} to", name, path=True), answer)

    def action_group(self) -> None:
        from db.failures import GROUPINGS

        place = GROUPINGS.index(self.by)
        self.by = GROUPINGS[(place + 1) % len(GROUPINGS)]
        self.load()

    def action_back(self) -> None:
        if self.occurrences.marked:
            self.occurrences.marked.clear()
            self.occurrences.refresh()
        elif self.single:
            self.causes.focus()
        self.say()
