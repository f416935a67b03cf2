"""The Coverage dialog: a map of every shard by every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.dialogs.dialog import Dialog
from tui.formatting import text
from tui.formatting.text import describe_error
from tui.viewmodel.pages import CoverageMatrix, read_coverage

if TYPE_CHECKING:
    from db.task_pages import CoverageCell
    from engine.project.layout import Project

MANY_FAILED = 0.01
"""The share of the images of a cell above which it is not shown as done, since so many failed."""
LEGEND = "· none ░ begun ▒ half █ done x done, over 1% of images failed ! failed shards - skipped"
REFRESH_SECONDS = 5.0
"""Seconds between two readings of the map."""
GUTTER = 11
"""Cells for the model's name at the beginning of a line."""


class Coverage(Dialog[str | None]):
    """A map of every shard by every model, which shows gaps at a glance.

    Returns a filter for the Shards screen, None if nothing was chosen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="coverage.close"),
        Binding("enter", "open", "Shards", tooltip="Show these shards", id="coverage.open"),
        Binding("l,right", "move(1, 0)", "Right", False, id="coverage.right"),
        Binding("h,left", "move(-1, 0)", "Left", False, id="coverage.left"),
        Binding("j,down", "move(0, 1)", "Down", False, id="coverage.down"),
        Binding("k,up", "move(0, -1)", "Up", False, id="coverage.up"),
        Binding("n", "hole(1)", "Next gap", tooltip="Go to the next gap", id="coverage.next"),
        Binding("N", "hole(-1)", "Previous gap", False, id="coverage.last"),
    ]

    @dataclass
    class MatrixRead(Message):
        """The map was read from the database."""

        matrix: CoverageMatrix

    @dataclass
    class MatrixReadFailed(Message):
        """The map could not be read."""

        reason: str

    def __init__(self, project: Project) -> None:
        super().__init__()
        self.project = project
        self.matrix: CoverageMatrix | None = None
        self.selected = (0, 0)
        """The selected cell: the indices of its group of shards and of its model."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Coverage: shards by model"
            dialog.border_subtitle = "arrows move, n next gap, enter shows, esc closes"
            yield Static(id="matrix", markup=False)
            yield Static(id="cell", markup=False)
            yield Static(LEGEND, markup=False, classes="muted")

    def on_mount(self) -> None:
        self.call_after_refresh(self.refresh_matrix)
        self.set_interval(REFRESH_SECONDS, self.refresh_matrix)

    def on_resize(self) -> None:
        self.call_after_refresh(self.refresh_matrix)

    @property
    def groups_per_line(self) -> int:
        """The number of groups of shards that fit beside each other."""
        return max(10, self.query_one("#matrix").content_size.width - GUTTER)

    def refresh_matrix(self) -> None:
        """Read the map for the present size of the dialog."""
        self.read(self.groups_per_line, max(6, self.query_one("#matrix").content_size.height))

    @work(thread=True, group="coverage", exclusive=True, exit_on_error=False)
    def read(self, groups_per_line: int, lines: int) -> None:
        try:
            self.post_message(self.MatrixRead(read_coverage(self.project, groups_per_line, lines)))
        except Exception as error:
            self.post_message(self.MatrixReadFailed(describe_error(error)))

    @on(MatrixReadFailed)
    def matrix_read_failed(self, event: MatrixReadFailed) -> None:
        self.query_one("#cell", Static).update(text.visible(event.reason))

    @on(MatrixRead)
    def matrix_read(self, event: MatrixRead) -> None:
        self.matrix = event.matrix
        self.draw()

    @property
    def groups(self) -> int:
        """The number of groups of shards."""
        return self.matrix.groups if self.matrix else 1

    def cell(self, group: int, model: int) -> CoverageCell | None:
        """Return a cell by the indices of its group and its model."""
        if self.matrix is None:
            return None
        return self.matrix.cells.get((group, self.matrix.models[model].id))

    def draw(self) -> None:
        """Draw the map in bands: a line with the first shard, then a line for each model."""
        matrix = self.matrix
        if matrix is None:
            return
        per_line = self.groups_per_line
        lines: list[Content] = []
        for first in range(0, self.groups, per_line):
            last = min(self.groups, first + per_line)
            first_shard = f"{first * matrix.shards_per_cell:05}"
            lines.append(Content.styled(first_shard, "$foreground-muted"))
            for index, model in enumerate(matrix.models):
                signs = [self.sign(group, index) for group in range(first, last)]
                lines.append(Content.assemble(f"{text.fit(model.name, GUTTER - 1)} ", *signs))
        self.query_one("#matrix", Static).update(Content("\n").join(lines))
        self.query_one("#cell", Static).update(self.cell_text())

    def sign(self, group: int, model: int) -> tuple[str, str]:
        """Return a cell's sign and style; the selected one is in reverse video."""
        cell = self.cell(group, model)
        sign, style = cell_sign(cell) if cell else (" ", "")
        return (sign, f"{style} reverse") if (group, model) == self.selected else (sign, style)

    def cell_text(self) -> str:
        """Return the counts of the selected cell."""
        matrix, cell = self.matrix, self.cell(*self.selected)
        if matrix is None or cell is None:
            return ""
        first = cell.group * matrix.shards_per_cell
        last = min(matrix.shards, first + matrix.shards_per_cell) - 1
        where = f"shard {first:05}" if first == last else f"shards {first:05} to {last:05}"
        counts = [f"{cell.done} of {text.plural(cell.tasks, 'shard')} done"]
        counts += [
            f"{count} {state}"
            for count, state in ((cell.running, "running"), (cell.failed, "failed"))
            if count
        ]
        counts.append(text.plural(cell.captioned, "caption"))
        if cell.failed_records:
            counts.append(f"{text.plural(cell.failed_records, 'image')} failed")
        model = text.visible(matrix.models[self.selected[1]].name)
        return f"{where}, {model}: {', '.join(counts)}"

    # Keys

    def action_move(self, right: int, down: int) -> None:
        if self.matrix is None:
            return
        group, model = self.selected
        model += down
        if not 0 <= model < len(self.matrix.models):
            moved = group + down * self.groups_per_line
            if 0 <= moved < self.groups:
                group, model = moved, model % len(self.matrix.models)
            else:
                model -= down
        self.selected = (max(0, min(group + right, self.groups - 1)), model)
        self.draw()

    def action_hole(self, by: int) -> None:
        """Select the next cell that is not done, by group, then by model; the one before for -1."""
        if self.matrix is None:
            return
        models = len(self.matrix.models)
        start = self.selected[0] * models + self.selected[1]
        count = self.groups * models
        for step in range(1, count + 1):
            group, model = divmod((start + by * step) % count, models)
            cell = self.cell(group, model)
            if cell is not None and cell.done < cell.tasks - cell.skipped:
                self.selected = (group, model)
                break
        self.draw()

    def action_open(self) -> None:
        matrix = self.matrix
        if matrix is None:
            return
        first = self.selected[0] * matrix.shards_per_cell
        model = f"model:{matrix.models[self.selected[1]].name}"
        if matrix.shards_per_cell == 1:
            self.dismiss(f"shard:{first} {model}")
        else:
            self.dismiss(f"!shard<{first} shard<{first + matrix.shards_per_cell} {model}")

    def action_close(self) -> None:
        self.dismiss(None)


def cell_sign(cell: CoverageCell) -> tuple[str, str]:
    """Return the sign of a cell, as in the legend, and its style."""
    if cell.failed:
        return "!", "$text-error"
    if cell.skipped == cell.tasks:
        return "-", "$foreground-muted"
    if cell.done + cell.skipped == cell.tasks:
        many_failed = cell.failed_records > MANY_FAILED * cell.total
        return ("x", "$text-warning") if many_failed else ("█", "$text-success")
    if cell.captioned + cell.failed_records == 0 and not cell.running:
        return "·", "$foreground-muted"
    style = "$text-primary" if cell.running else ""
    return ("▒" if cell.share >= 0.5 else "░"), style
