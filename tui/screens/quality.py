"""The Quality screen: what is wrong with the captions of each model, and what they are like.

It shows what was counted last, and counts what is new in a process of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from db.rows import ORIGINAL_ID
from tui.formatting import content, text
from tui.keys.quality import QUALITY_ACTIONS, QualityState
from tui.screens.project_screen import ProjectScreen
from tui.session.feedback import notify
from tui.session.messages import RecordsChosen
from tui.threads.background_job import BackgroundJob
from tui.threads.page_loader import PageLoader
from tui.viewmodel import actions, pages
from tui.viewmodel.quality import (
    RatingLine,
    missing_figures,
    quality_lines,
    rated_records,
    rating_lines,
)
from tui.viewmodel.quality_limits import limits_for
from tui.widgets.quality_plots import QualityPlots
from tui.widgets.tables.quality_tables import DefectTable, QualityTable
from tui.widgets.tables.table import VirtualTable

if TYPE_CHECKING:
    from db.rows import CaptionKey, Rating, RecordKey
    from engine.datasets.exports.export import ExportOptions
    from engine.operations.last_quality import QualityReport
    from engine.operations.model_quality import ModelQuality
    from engine.project.layout import Project
    from tui.session.session import Session
    from tui.viewmodel.quality import QualityLine
    from tui.viewmodel.quality_limits import Limits
    from tui.viewmodel.snapshot import Snapshot

LANGUAGE = "en"
"""The language that captions are expected in; `quality --language` takes others."""
WORST_SHOWN = 500
"""At most this many of the worst captions are listed in Samples."""
MODEL_ROWS = {True: 5, False: 9}
"""Rows of the table of models without scrolling, in a short terminal and in others."""


class Quality(ProjectScreen):
    """A table of models above the defects and the plots of the one under the cursor."""

    MODE = "quality"
    HELP = (
        "Defects counts the captions that a defect spoils or that repeat an earlier one;"
        " docs/quality.md explains the columns. enter shows the worst captions with the chosen"
        " defect in Samples, and esc there comes back. A histogram has the median above it and, in"
        " brackets, the range of nine of ten captions."
    )
    AUTO_FOCUS = "QualityTable"
    BINDINGS: ClassVar[list[BindingType]] = [*QUALITY_ACTIONS]

    def __init__(self, session: Session, project: Project) -> None:
        super().__init__(session, project)
        self.last_report = PageLoader(
            self, partial(pages.read_last_quality, project), self.show_last_report
        )
        self.count_job: BackgroundJob[QualityReport] = BackgroundJob(
            self, self.update_counted_line, self.show_report, self.show_failure
        )
        self.search_job: BackgroundJob[list[RecordKey]] = BackgroundJob(
            self, self.update_counted_line, self.show_worst, self.show_failure
        )
        self.export_job: BackgroundJob[str] = BackgroundJob(
            self, self.update_texts, self.show_export_count, self.show_failure
        )
        self.export_count = ""
        """What an export with the filters of `counted_options` would hold."""
        self.counted_options: ExportOptions | None = None
        """The options for which that is counted, or was."""
        self.report: QualityReport | None = None
        """What was counted last; None if nothing was yet."""
        self.opened = False
        """True once the first snapshot was shown, with which the last report is read."""
        self.quality: ModelQuality | None = None
        """The model under the cursor, or the originals."""
        self.ratings: Mapping[CaptionKey, Rating] = {}
        """What people said of captions."""
        self.searched: tuple[str, QualityLine] | None = None
        """The model and the defect whose worst captions are looked for."""
        self.failure = ""
        """Why captions could not be counted, or the worst not be found, the last time."""

    def body(self) -> Iterable[Widget]:
        yield Static(id="counted", markup=False)
        yield QualityTable(self.limits_of, id="models")
        with Horizontal(id="parts"):
            yield DefectTable(id="defects")
            yield QualityPlots(id="plots")
        yield Static(id="example", markup=False)
        yield Static(id="missing", markup=False)
        yield Static(id="export", markup=False)

    def on_mount(self) -> None:
        self.models.border_title = "Quality of the captions"
        self.defects.border_title = "Defects"
        self.update_texts()

    def on_unmount(self) -> None:
        for job in self.jobs:
            job.cancel()

    @property
    def jobs(self) -> tuple[BackgroundJob[Any], ...]:
        """All that may go on in the background."""
        return self.count_job, self.search_job, self.export_job

    @property
    def models(self) -> QualityTable:
        return self.query_one(QualityTable)

    @property
    def defects(self) -> DefectTable:
        return self.query_one(DefectTable)

    def show(self, snapshot: Snapshot) -> None:
        if not self.opened:
            self.opened = True
            self.last_report.load(None)
        elif self.report is not None:
            self.count_export(self.report)
        if snapshot.ratings != self.ratings:
            self.ratings = snapshot.ratings
            self.show_lines(follow=True)
        self.update_texts()

    # Counting

    def show_last_report(self, query: None, report: QualityReport | None) -> None:
        """Show what was counted last, and count what is new."""
        if report is not None:
            self.show_report(report)
        self.action_count()

    def action_count(self) -> None:
        from engine.operations.last_quality import count_quality

        readonly = self.session.readonly
        self.count_job.start(count_quality, self.project, LANGUAGE, time.time(), readonly)
        self.failure = ""
        self.update_texts()

    def show_failure(self, reason: str) -> None:
        """Show why captions could not be counted; without a reason, it was cancelled."""
        self.failure = reason
        if reason:
            notify(self, reason, "error")
        self.update_texts()

    def show_report(self, report: QualityReport) -> None:
        self.report = report
        limit = MODEL_ROWS[self.has_class("-short")]
        self.models.styles.height = 3 + min(limit, len(report.models))
        self.models.show(report.models)
        self.counted_options = None
        self.count_export(report)
        self.update_texts()

    def count_export(self, report: QualityReport) -> None:
        """Count what an export would hold if the Export dialog has filters that are not counted."""
        options = self.session.export_options
        if options is None or not options.filter_arguments():
            self.counted_options, self.export_count = None, ""
        elif options != self.counted_options and not self.export_job.running:
            self.counted_options, self.export_count = options, ""
            readonly = self.session.readonly
            self.export_job.start(
                actions.count_export, self.project, options, actions.never, readonly
            )

    def show_export_count(self, sentence: str) -> None:
        self.export_count = sentence
        if self.report is not None:
            self.count_export(self.report)
        self.update_texts()

    def limits_of(self, name: str) -> Limits:
        """Return how many captions with a defect are too many of a model, or of the originals."""
        snapshot = self.session.snapshot
        models = snapshot.captioners if snapshot is not None else ()
        return limits_for(next((model.row for model in models if model.row.name == name), None))

    # The chosen model and defect

    @on(VirtualTable.Moved, "#models")
    def model_moved(self) -> None:
        quality = self.models.current
        if quality is not self.quality and quality is not None:
            changed = self.quality is None or self.quality.name != quality.name
            self.quality = quality
            self.show_lines(follow=not changed)
            if changed:
                self.defects.cursor = 0
            captions = text.plural(quality.captions, "caption")
            self.defects.border_title = content.title(f"Defects of {quality.name}, {captions}")
            self.query_one(QualityPlots).show(quality)
        self.update_texts()

    def show_lines(self, follow: bool) -> None:
        """List the defects of the chosen model, and how people rated its captions."""
        quality = self.quality
        if quality is not None:
            lines = quality_lines(quality, self.limits_of(quality.name))
            lines += rating_lines(self.ratings, self.model_id)
            self.defects.set_rows(lines, 0, len(lines), follow=follow)

    @property
    def model_id(self) -> int:
        """The id of the chosen model, or what stands for that of the originals."""
        name = self.quality.name if self.quality is not None else None
        snapshot = self.session.snapshot
        models = snapshot.captioners if snapshot is not None else ()
        return next((it.row.id for it in models if it.row.name == name), ORIGINAL_ID)

    @on(VirtualTable.Moved, "#defects")
    def defect_moved(self) -> None:
        self.update_texts()

    @on(VirtualTable.Opened)
    def opened_row(self) -> None:
        reason = self.why_not("show")
        if reason is None:
            self.action_show()
        else:
            notify(self, reason, "warning")

    def action_show(self) -> None:
        from engine.operations.worst_captions import worst_captions

        quality, line = self.quality, self.defects.current
        if quality is not None and isinstance(line, RatingLine):
            keys = rated_records(self.ratings, self.model_id, line.good)
            title = f"{line.label} of {quality.name}, {text.number(len(keys))}"
            self.post_message(RecordsChosen(keys, title, quality.name))
        elif quality is not None and line is not None:
            self.searched = quality.name, line
            self.search_job.start(
                worst_captions,
                self.project,
                quality.name,
                line.name,
                WORST_SHOWN,
                LANGUAGE,
                self.session.readonly,
            )
            self.update_texts()

    def show_worst(self, keys: list[RecordKey]) -> None:
        self.update_texts()
        if not keys or self.searched is None:
            notify(self, "no caption has this defect any more: a counts again", "warning")
            return
        name, line = self.searched
        of_all = f" of {text.number(line.count)}" if line.count > len(keys) else ""
        title = f"{line.label} of {name}, {text.number(len(keys))}{of_all}"
        self.post_message(RecordsChosen(tuple(keys), title, name))

    # Texts

    def update_texts(self) -> None:
        """Show everything around the tables."""
        self.update_counted_line()
        report, line = self.report, self.defects.current
        self.query_one("#example", Static).update("" if line is None else defect_content(line))
        missing = [] if report is None else missing_figures(report.models)
        if hidden := self.models.hidden_scorers:
            missing.insert(0, f"no room for the scores of {text.visible(', '.join(hidden))}: below")
        self.query_one("#missing", Static).update(". ".join(missing))
        self.query_one("#export", Static).update(self.export_line())
        self.refresh_keys()

    def update_counted_line(self) -> None:
        self.query_one("#counted", Static).update(self.counted_line())

    def counted_line(self) -> str:
        """Return how far a count or a search is, and when captions were counted last."""
        report, snapshot = self.report, self.session.snapshot
        jobs = (("counting", self.count_job), ("searching", self.search_job))
        parts = [f"{what}{job.progress_text} (esc cancels)" for what, job in jobs if job.running]
        if self.failure:
            parts.append(f"not counted: {text.visible(self.failure)}")
        if report is not None:
            captions = counted_captions(report)
            counted = f"{text.plural(captions, 'caption')} counted"
            parts.append(f"{counted} {text.day_and_clock(report.counted)}")
            if snapshot is not None and snapshot.captioned > captions and not parts[1:]:
                parts.append(f"{text.number(snapshot.captioned - captions)} new: a counts them")
        return ", ".join(parts) or "nothing is counted yet: a counts"

    def export_line(self) -> str:
        """Return what an export with the filters of the Export dialog would hold."""
        report, options = self.report, self.counted_options
        if report is None:
            return ""
        if options is not None:
            filters = text.visible(" ".join(options.filter_arguments()))
            counting = f"counting{self.export_job.progress_text} ..."
            held = counting if self.export_job.running else self.export_count or "not counted (a)"
            return f"An export with {filters}: {text.visible(held)}"
        models = report.models[1:]
        # A caption of signs alone is called empty, but exported: only one of no text is not.
        exported = sum(model.captions - sum(model.sheared_lengths[:1]) for model in models)
        return (
            f"An export holds {text.plural(exported, 'caption')} of"
            f" {text.plural(len(models), 'model')}: no filter is set (e)"
        )

    # Keys

    def action_state(self) -> QualityState:
        line = self.defects.current
        return QualityState(
            session=self.session,
            has_focus=self.focused is not None,
            value_to_copy=self.text_to_copy(False),
            counting=self.count_job.running,
            searching=self.search_job.running,
            found=line.count if line is not None else 0,
        )

    def text_to_copy(self, row: bool) -> str | None:
        """Return the sentence of the chosen defect, or with `row` its example."""
        line = self.defects.current
        if line is None:
            return None
        if row:
            return line.example.text if line.example is not None else None
        return f"{self.quality.name if self.quality else ''}: {line.sentence}"

    def action_view(self) -> None:
        self.query_one(QualityPlots).next_view()

    def action_back(self) -> None:
        """Cancel what goes on in the background, or go up to the models."""
        if any(job.running for job in self.jobs):
            for job in self.jobs:
                job.cancel()
        else:
            self.models.focus()


def counted_captions(report: QualityReport) -> int:
    """Return how many captions of models were counted."""
    return sum(model.captions for model in report.models[1:])


def defect_content(line: QualityLine) -> Content:
    """Return how many captions have a defect, and one that has it."""
    styles = {"alarming": "$text-error", "too many": "$text-warning"}
    said = Content.styled(text.visible(line.sentence), styles.get(line.verdict, ""))
    example = line.example
    if example is None:
        return said
    where = f"{example.shard:05}/{example.i}  "
    shown = Content.assemble((where, "$foreground-muted"), text.visible(example.text))
    return Content("\n").join([said, shown])
