"""The Failures screen: what failed, by cause, model or shard.

Retries or excludes a whole cause or single records, and writes the failures as a CSV file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.formatting import text
from tui.keys.failures import FAILURES_ACTIONS, FailuresState
from tui.screens.project_screen import ProjectScreen
from tui.session.messages import RecordChosen
from tui.threads.page_loader import PageLoader
from tui.viewmodel import actions, pages
from tui.viewmodel.failed_count import failed_text
from tui.viewmodel.failure_hints import hint_for
from tui.viewmodel.failures_by_image import (
    FailedImage,
    ImagePlace,
    by_image,
    failure_lines,
    records_by_task,
)
from tui.widgets.preview import Preview, PreviewScreen
from tui.widgets.tables.cause_table import CauseTable
from tui.widgets.tables.occurrence_table import OccurrenceTable
from tui.widgets.tables.table import VirtualTable

if TYPE_CHECKING:
    from db.failures import Cause, Grouping, Occurrence
    from db.rows import RecordKey
    from engine.project.layout import Project
    from tui.session.session import Session
    from tui.viewmodel.snapshot import Snapshot

OCCURRENCES_SHOWN = 5_000
"""At most this many occurrences of a cause are read; the CSV file holds all."""
KEPT = "Captions that are there stay as they are."
DECODED = "The images are decoded first: no model is loaded if none can be read."
OTHERS = "Other failed records of these shards are tried again as well."


class Failures(PreviewScreen[None], ProjectScreen):
    """Tables of causes and of the chosen cause's occurrences, with a picture and a detail pane.

    A key acts on the whole cause, or, when the occurrences have the focus, on the marked ones.
    """

    MODE = "failures"
    HELP = (
        "In the upper table a key acts on everything that failed for that cause, in the lower on"
        " the marked or current rows. An excluded record stays failed and is not asked for again."
    )
    AUTO_FOCUS = "CauseTable"
    BINDINGS: ClassVar[list[BindingType]] = [*FAILURES_ACTIONS]

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__(session, project)
        self.cause_lists = PageLoader(self, partial(pages.read_causes, project), self.show_causes)
        self.occurrence_lists = PageLoader(
            self,
            partial(pages.read_occurrences, project, limit=OCCURRENCES_SHOWN),
            self.show_occurrences,
        )
        self.image_names = PageLoader(
            self,
            partial(pages.read_image_name, project),
            self.show_image,
            lambda _, reason: self.preview.show_no_image(reason),
        )
        self.places: dict[RecordKey, ImagePlace] = {}
        """Where the images of failed records lie, as far as they were on screen."""
        self.place_lists = PageLoader(
            self, partial(pages.read_image_places, project), self.show_places
        )
        self.preview = Preview(
            partial(pages.find_image, project), session.image_support, id="preview"
        )
        self.shown_record: RecordKey | None = None
        """The failed record whose picture is shown or being read."""
        self.failure_state: object = None
        """The values of the last snapshot that change whenever the failures do."""
        self.cause: Cause | None = None
        """The cause under the cursor, whose occurrences are listed."""
        self.grouping: Grouping = "cause"

    def body(self) -> Iterable[Widget]:
        yield CauseTable(self.model_name, id="causes")
        yield self.preview
        yield OccurrenceTable(self.model_name, id="occurrences")
        with VerticalScroll(classes="detail", can_focus=True) as detail:
            detail.border_title = "Detail"
            yield Static(id="detail", markup=False)

    def on_mount(self) -> None:
        self.causes.border_title = "Failures by cause"
        self.occurrences.border_title = "Failed images"
        self.update_detail()

    @property
    def causes(self) -> CauseTable:
        return self.query_one(CauseTable)

    @property
    def occurrences(self) -> OccurrenceTable:
        return self.query_one(OccurrenceTable)

    def show(self, snapshot: Snapshot) -> None:
        failure_state = snapshot.failed, tuple(snapshot.tasks.items()), snapshot.events[:1]
        if failure_state != self.failure_state:
            self.failure_state = failure_state
            self.load_causes()

    # Reading

    def load_causes(self) -> None:
        """Read the causes in the chosen grouping."""
        if self.session.snapshot is not None:
            self.cause_lists.load(self.grouping)

    def show_causes(self, grouping: Grouping, causes: tuple[Cause, ...]) -> None:
        if grouping == self.grouping:
            self.causes.group_by(grouping)
            self.causes.set_rows(causes, 0, len(causes))
            self.causes.border_title = f"Failures by {grouping}"
        if not causes:
            self.cause = None
            self.occurrences.set_rows((), 0, 0)
            self.update_detail()

    @on(VirtualTable.Moved, "#causes")
    def cause_moved(self) -> None:
        if self.causes.current != self.cause:
            if self.cause is None or not self.cause.same_group(self.causes.current):
                self.occurrences.marked.clear()
            self.cause = self.causes.current
            if self.cause is not None:
                self.occurrence_lists.load(self.cause)
        self.update_detail()

    def show_occurrences(self, cause: Cause, rows: tuple[Occurrence, ...]) -> None:
        if cause == self.cause:
            images = by_image(rows)
            self.occurrences.set_rows(images, 0, len(images))
            not_shown = cause.count - len(rows)
            named = f", {text.number(len(rows))} failures" if len(rows) > len(images) else ""
            of_all = f", of {text.number(cause.count)} (w writes all)" if not_shown > 0 else ""
            what = "image" if cause.scope == "record" else "shard"
            images_text = text.plural(len(images), what)
            self.occurrences.border_title = f"Failed: {images_text}{named}{of_all}"
            self.update_detail()

    @on(VirtualTable.Moved, "#occurrences")
    @on(VirtualTable.Scrolled)
    def occurrence_moved(self) -> None:
        self.update_detail()
        self.load_places()

    def load_places(self) -> None:
        """Read which images the rows on screen are about."""
        first, last = self.occurrences.visible_rows()
        rows = filter(None, map(self.occurrences.row, range(first, last)))
        keys = [key for row in rows if (key := row.record_key) and key not in self.places]
        if keys:
            self.place_lists.load(tuple(keys))

    def show_places(self, keys: tuple[RecordKey, ...], places: dict[RecordKey, ImagePlace]) -> None:
        unknown = ImagePlace("its shard file cannot be read", "")
        self.places |= {key: places.get(key, unknown) for key in keys}
        self.occurrences.places = self.places
        self.occurrences.refresh()
        self.update_detail()

    @on(VirtualTable.Opened, "#causes")
    def cause_opened(self) -> None:
        self.occurrences.focus()

    @on(VirtualTable.Opened, "#occurrences")
    def occurrence_opened(self) -> None:
        from tui.dialogs.details import Details

        self.app.push_screen(Details("Failure", self.detail()))

    def update_detail(self) -> None:
        """Show the chosen cause and occurrence in the detail pane."""
        self.query_one("#detail", Static).update(self.detail())
        self.update_image()
        self.refresh_keys()

    def update_image(self) -> None:
        """Show the picture of the record under the cursor, after reading which image that is."""
        row = self.occurrences.current if self.cause is not None else None
        key = None if row is None else row.record_key
        if key is None:
            self.preview.show_no_image("no single record is chosen" if row else "")
        elif key != self.shown_record:
            self.image_names.load(key)
        self.shown_record = key

    def show_image(self, key: RecordKey, image: str | None) -> None:
        if key != self.shown_record:
            return
        if image is None:
            self.preview.show_no_image("this record is not in its shard file any more")
        else:
            self.preview.show(image)

    @on(Preview.Stepped)
    def stepped(self, event: Preview.Stepped) -> None:
        self.occurrences.action_move(event.by)

    def detail(self) -> Content:
        """Return the text of the detail pane."""
        cause, row = self.cause, self.occurrences.current
        if cause is None:
            return Content.styled("nothing failed", "$foreground-muted")
        hint = hint_for(cause)
        models = ", ".join(map(text.visible, cause.models))
        parts = [
            Content.assemble((text.visible(cause.kind), "bold $text-error")),
            Content(f"{failed_text(cause)} of {models}"),
            Content.assemble(("hint  ", "$foreground-muted"), hint.advice),
        ]
        if row is not None:
            place = self.occurrences.place_of(row)
            parts += [Content(""), *map(Content, failure_lines(row, place, self.model_name))]
        return Content("\n").join(parts)

    # Acting

    @property
    def acts_on_rows(self) -> bool:
        """True if a key acts on rows of the lower table, not on the whole cause."""
        return self.occurrences.has_focus

    def chosen(self) -> list[FailedImage]:
        """Return the marked rows, or the one under the cursor if none is marked."""
        rows, marked = self.occurrences.rows, self.occurrences.marked
        if marked:
            return [row for row in rows if self.occurrences.row_key(row) in marked]
        return [self.occurrences.current] if self.occurrences.current is not None else []

    def action_state(self) -> FailuresState:
        return FailuresState(
            session=self.session,
            has_focus=self.focused is not None,
            value_to_copy=self.text_to_copy(False),
            cause=self.cause,
            occurrence=self.occurrences.current,
        )

    def text_to_copy(self, row: bool) -> str | None:
        current = self.occurrences.current
        if not self.acts_on_rows or current is None:
            return self.cause.kind if self.cause else None
        place = self.occurrences.place_of(current)
        if not row:
            return place.shown if place else current.failures[0].detail
        lines = (
            (current.name, place.image if place else "", self.model_name(it.model_id), it.detail)
            for it in current.failures
        )
        return "\n".join(map("\t".join, lines))

    def action_retry(self) -> None:
        cause = self.cause
        if cause is None:
            return
        if self.acts_on_rows:
            self.retry_rows(cause)
            return
        self.confirm_call(
            f"Retry {failed_text(cause)}{self.of_group(cause)}:"
            f" {text.clip(text.visible(cause.kind), 60)}?",
            KEPT if cause.scope == "shard" else f"{KEPT} {DECODED} {OTHERS}",
            lambda project: actions.retry_cause(project, cause),
        )

    def retry_rows(self, cause: Cause) -> None:
        """Retry the tasks of the chosen rows, or their failed records."""
        from engine.requests.kinds import Retry

        tasks = sorted({it.task_id for row in self.chosen() for it in row.failures})
        chosen_tasks = text.plural(len(tasks), "chosen shard")
        if cause.scope == "shard":
            self.confirm_call(
                f"Retry {chosen_tasks}?",
                KEPT,
                lambda project: actions.send_request(project, Retry(tasks=tasks)),
            )
        else:
            self.confirm_call(
                f"Retry the failed records of {chosen_tasks}?",
                f"{KEPT} {DECODED}",
                lambda project: actions.retry_records(project, tasks),
            )

    def of_group(self, cause: Cause) -> str:
        """Return ` of MODEL` or ` of shard N` for a row grouped that way, else an empty string."""
        if cause.model_id is not None:
            return f" of {text.visible(self.model_name(cause.model_id))}"
        return "" if cause.shard is None else f" of shard {cause.shard:05}"

    def action_exclude(self) -> None:
        cause = self.cause
        if cause is None:
            return
        consequence = (
            "Counted as failed, left out of exports, not asked for again (r includes them again)."
        )
        if self.acts_on_rows:
            chosen = self.chosen()
            records = list(records_by_task(chosen).items())
            self.confirm_call(
                f"Exclude {text.plural(len(chosen), 'image')}, for the models that failed at"
                f" {'it' if len(chosen) == 1 else 'them'}?",
                consequence,
                lambda project: actions.exclude_records(project, records),
            )
            return
        self.confirm_call(
            f"Exclude {'all ' if cause.count > 1 else ''}{failed_text(cause)}{self.of_group(cause)}"
            f" that failed as {text.clip(text.visible(cause.kind), 40)}?",
            consequence,
            lambda project: actions.exclude_cause(project, cause),
        )

    def confirm_call(
        self, question: str, consequence: str, action: Callable[[Project], str]
    ) -> None:
        """Ask a yes-no question; if the answer is yes, unmark all rows and run `action`."""

        def on_yes() -> None:
            self.occurrences.marked.clear()
            self.occurrences.refresh()
            self.perform(action)

        self.confirm(question, consequence, on_yes)

    def action_show(self) -> None:
        row = self.occurrences.current
        key = row.record_key if row is not None else None
        if key is not None:
            self.post_message(RecordChosen(*key))

    def action_write(self) -> None:
        from tui.dialogs.text_prompt import Ask

        cause = self.cause if self.acts_on_rows else None
        scope = "the failures of this cause" if cause else "every failure"
        name = f"{self.project.name}-failures.csv"

        def answer(path: str | None) -> None:
            if not path:
                return
            out = Path(path).expanduser()
            if out.is_file():
                self.confirm(
                    f"{text.visible(str(out))} exists. Replace it?",
                    "",
                    lambda: write(out, force=True),
                )
            else:
                write(out)

        def write(out: Path, force: bool = False) -> None:
            tell = not self.session.readonly
            self.run_and_notify(
                lambda: actions.write_failures(self.project, out, cause, force, tell)
            )

        self.app.push_screen(Ask("Write CSV", f"Write {scope} to", name, path=True), answer)

    def action_group(self) -> None:
        from db.failures import GROUPINGS

        index = GROUPINGS.index(self.grouping)
        self.grouping = GROUPINGS[(index + 1) % len(GROUPINGS)]
        self.load_causes()

    def action_back(self) -> None:
        if self.occurrences.marked:
            self.occurrences.marked.clear()
            self.occurrences.refresh()
        elif self.acts_on_rows:
            self.causes.focus()
        self.update_detail()
