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
from tui.dialogs.report import Progress, Report
from tui.formatting import text
from tui.formatting.text import describe_error

if TYPE_CHECKING:
    from db.rows import SampleRow
    from engine.project.layout import Project
    from tui.viewmodel.snapshot import Snapshot

READ = 2_000
BARS = " ▁▂▃▄▅▆▇█"
SCROLLBAR = 2
HEIGHT = 3
"""Rows of a histogram."""


class Lengths(Dialog[None]):
    """How long captions are in words, before and after shearing, model by model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,h", "close", "Close", id="lengths.close"),
        Binding("a", "all", "All", tooltip="Measure all captions", id="lengths.all"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="lengths.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="lengths.up"),
    ]

    @dataclass
    class Read(Message):
        samples: tuple[SampleRow, ...]

    @dataclass
    class NotRead(Message):
        reason: str

    def __init__(self, project: Project, snapshot: Snapshot) -> None:
        super().__init__()
        self.project = project
        self.snapshot = snapshot
        self.samples: tuple[SampleRow, ...] | None = None

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
        from db import progress
        from db.connection import reading

        try:
            with reading(self.project.database) as connection:
                self.post_message(self.Read(progress.samples(connection, READ)))
        except Exception as error:
            self.post_message(self.NotRead(describe_error(error)))

    @on(NotRead)
    def not_read(self, event: NotRead) -> None:
        self.query_one("#lengths", Static).update(text.visible(event.reason))

    @on(Read)
    def was_read(self, event: Read) -> None:
        self.samples = event.samples
        self.draw()

    def draw(self) -> None:
        if self.samples is None:
            return
        width = max(40, self.query_one(VerticalScroll).scrollable_content_region.width - SCROLLBAR)
        lines = [
            Content.styled(
                f"of the newest {text.plural(len(self.samples), 'caption')} that were sampled",
                "$foreground-muted",
            )
        ]
        for model in self.snapshot.models:
            mine = [sample for sample in self.samples if sample.model_id == model.row.id]
            lines += [Content(""), Content.styled(text.visible(model.row.name), "bold")]
            if not mine:
                lines.append(Content.styled("  no caption yet", "$foreground-muted"))
                continue
            before = [len(sample.raw.split()) for sample in mine]
            after = [len(sample.sheared.split()) for sample in mine]
            longest = max(*before, *after, 1)
            lines += histogram("raw", before, longest, width)
            lines += histogram("sheared", after, longest, width)
            lines.append(axis(longest, width))
        self.query_one("#lengths", Static).update(Content("\n").join(lines))

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_all(self) -> None:
        project = self.project

        def measured(progress: Progress) -> list[str]:
            from engine.operations.caption_stats import measure
            from tui.formatting.stats_table import stats_upright

            return list(stats_upright(measure(project, (), progress)))

        self.app.push_screen(Report("All captions, per model", measured))

    def action_close(self) -> None:
        self.dismiss(None)


def histogram(name: str, lengths: Sequence[int], longest: int, width: int) -> list[Content]:
    """One column a bin, on the same axis for both; what is typical is said in words as well."""
    columns = width - 24
    counts = [0] * columns
    for length in lengths:
        counts[bin_of(length, longest, columns)] += 1
    highest = max(counts)
    ordered = sorted(lengths)
    said = (
        name,
        f"median {statistics.median(ordered):.0f}",
        f"{ordered[len(ordered) // 20]} to {ordered[-1 - len(ordered) // 20]} (90%)",
    )
    lines = []
    for row in range(HEIGHT):
        base = 8 * (HEIGHT - 1 - row)
        bars = "".join(BARS[bar(count, highest, base)] for count in counts)
        lines.append(
            Content.assemble((f"  {said[row]:<20}  ", "$foreground-muted"), (bars, "$primary"))
        )
    return lines


def bin_of(length: int, longest: int, columns: int) -> int:
    return min(columns - 1, length * (columns - 1) // longest)


def bar(count: int, highest: int, base: int) -> int:
    """Eighths of one row; what is there at all is seen."""
    eighths = max(1, round(8 * HEIGHT * count / highest)) if count else 0
    return max(0, min(8, eighths - base))


def axis(longest: int, width: int) -> Content:
    columns = width - 24
    middle = str(longest // 2)
    row = "0".ljust(bin_of(longest // 2, longest, columns)) + middle
    row = row[: columns - len(str(longest))].ljust(columns - len(str(longest))) + str(longest)
    return Content.styled(" " * 24 + row, "$foreground-muted")
