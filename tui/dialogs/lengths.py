"""The Lengths dialog: histograms of caption lengths, model by model."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.dialogs.dialog import Dialog
from tui.dialogs.report import Report, ReportProgress
from tui.formatting import histogram, text
from tui.formatting.text import describe_error
from tui.viewmodel.pages import read_newest_samples

if TYPE_CHECKING:
    from db.rows import SampleRow
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot

CAPTIONS_READ = 2_000
"""Newest sampled captions that are measured; `a` measures all captions of the project."""
SCROLLBAR = 2
"""Cells left free for the scroll bar."""
LABEL_WIDTH = 24
"""Cells in front of a histogram for its name and figures."""
HISTOGRAM_ROWS = 3
"""Rows of a histogram, each with a label in front."""


class Lengths(Dialog[None]):
    """Histograms of the words per caption before and after shearing, for each model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,h", "close", "Close", id="lengths.close"),
        Binding("a", "all", "All", tooltip="Measure all captions", id="lengths.all"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="lengths.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="lengths.up"),
    ]

    @dataclass
    class SamplesRead(Message):
        """The newest sampled captions were read."""

        samples: tuple[SampleRow, ...]

    @dataclass
    class SamplesReadFailed(Message):
        """The captions could not be read."""

        reason: str

    def __init__(self, project: Project, snapshot: Snapshot, readonly: bool = False) -> None:
        super().__init__()
        self.project = project
        self.snapshot = snapshot
        self.readonly = readonly
        """True if nothing of the project may change: damage that is found is only shown."""
        self.samples: tuple[SampleRow, ...] | None = None
        """The captions that are measured; None until they are read."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = "Caption lengths in words"
            dialog.border_subtitle = "a measures all captions, esc closes"
            yield Static("reading ...", id="lengths", markup=False)

    def on_mount(self) -> None:
        self.read()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @work(thread=True, group="lengths", exit_on_error=False)
    def read(self) -> None:
        try:
            self.post_message(self.SamplesRead(read_newest_samples(self.project, CAPTIONS_READ)))
        except Exception as error:
            self.post_message(self.SamplesReadFailed(describe_error(error)))

    @on(SamplesReadFailed)
    def samples_read_failed(self, event: SamplesReadFailed) -> None:
        self.query_one("#lengths", Static).update(text.visible(event.reason))

    @on(SamplesRead)
    def samples_read(self, event: SamplesRead) -> None:
        self.samples = event.samples
        self.draw()

    def draw(self) -> None:
        if self.samples is None:
            return
        width = max(40, self.query_one(VerticalScroll).content_region.width - SCROLLBAR)
        lines = [
            Content.styled(
                f"of the newest {text.plural(len(self.samples), 'caption')} that were sampled",
                "$foreground-muted",
            )
        ]
        for model in self.snapshot.captioners:
            model_samples = [sample for sample in self.samples if sample.model_id == model.row.id]
            lines += [Content(""), Content.styled(text.visible(model.row.name), "bold")]
            if not model_samples:
                lines.append(Content.styled("  no caption yet", "$foreground-muted"))
                continue
            before = [len(sample.raw.split()) for sample in model_samples]
            after = [len(sample.sheared.split()) for sample in model_samples]
            longest = max(*before, *after, 1)
            lines += histogram_lines("raw", before, longest, width)
            lines += histogram_lines("sheared", after, longest, width)
            labels = histogram.axis(longest + 1, width - LABEL_WIDTH)
            lines.append(Content.styled(" " * LABEL_WIDTH + labels, "$foreground-muted"))
        self.query_one("#lengths", Static).update(Content("\n").join(lines))

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_all(self) -> None:
        project, tell = self.project, not self.readonly

        def measure_all(progress: ReportProgress) -> list[str]:
            from engine.operations.caption_stats import measure_captions
            from tui.formatting.stats_table import transposed_stats_lines

            return list(transposed_stats_lines(measure_captions(project, (), progress, tell)))

        self.app.push_screen(Report("All captions, per model", measure_all))

    def action_close(self) -> None:
        self.dismiss(None)


def histogram_lines(name: str, lengths: Sequence[int], longest: int, width: int) -> list[Content]:
    """Return a histogram with its median and range, in bins from 0 to `longest` words."""
    counts = [0] * (longest + 1)
    for length in lengths:
        counts[length] += 1
    ordered = sorted(lengths)
    row_labels = (
        name,
        f"median {statistics.median(ordered):.0f}",
        f"{ordered[len(ordered) // 20]} to {ordered[-1 - len(ordered) // 20]} (90%)",
    )
    rows = histogram.bars(counts, width - LABEL_WIDTH, HISTOGRAM_ROWS)
    return [
        Content.assemble((f"  {label:<20}  ", "$foreground-muted"), (bars, "$primary"))
        for label, bars in zip(row_labels, rows, strict=True)
    ]
