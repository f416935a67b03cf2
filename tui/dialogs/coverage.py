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

if TYPE_CHECKING:
    from db.rows import ModelRow
    from db.task_pages import Coverage as Cell
    from engine.project.layout import Project

LEGEND = "· none ░ begun ▒ half █ done ! failed x some failed - skipped"
EVERY_SECONDS = 5.0
GUTTER = 11


@dataclass(frozen=True)
class Matrix:
    models: tuple[ModelRow, ...]
    shards: int
    together: int
    """Shards a cell."""
    cells: dict[tuple[int, int], Cell]


class Coverage(Dialog[str | None]):
    """Every shard by every model: holes at a glance. Returns a filter for the Shards screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close", id="coverage.close"),
        Binding("enter", "open", "Shards", tooltip="Show these shards", id="coverage.open"),
        Binding("l,right", "move(1, 0)", "Right", False, id="coverage.right"),
        Binding("h,left", "move(-1, 0)", "Left", False, id="coverage.left"),
        Binding("j,down", "move(0, 1)", "Down", False, id="coverage.down"),
        Binding("k,up", "move(0, -1)", "Up", False, id="coverage.up"),
        Binding("n", "hole(1)", "Next hole", tooltip="To the next hole", id="coverage.next"),
        Binding("N", "hole(-1)", "Hole before", False, id="coverage.last"),
    ]

    @dataclass
    class MatrixRead(Message):
        matrix: Matrix

    @dataclass
    class NotRead(Message):
        reason: str

    def __init__(self, project: Project) -> None:
        super().__init__()
        self.project = project
        self.matrix: Matrix | None = None
        self.at = (0, 0)
        """Place of the cell, and the model's place."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "Coverage: shards by models"
            dialog.border_subtitle = "arrows move, n next hole, enter shows, esc closes"
            yield Static(id="matrix", markup=False)
            yield Static(id="cell", markup=False)
            yield Static(LEGEND, markup=False, classes="muted")

    def on_mount(self) -> None:
        self.call_after_refresh(self.look)
        self.set_interval(EVERY_SECONDS, self.look)

    def on_resize(self) -> None:
        self.call_after_refresh(self.look)

    @property
    def columns(self) -> int:
        return max(10, self.query_one("#matrix").content_size.width - GUTTER)

    def look(self) -> None:
        self.read(self.columns, max(6, self.query_one("#matrix").content_size.height))

    @work(thread=True, group="coverage", exclusive=True, exit_on_error=False)
    def read(self, columns: int, rows: int) -> None:
        from db import progress, projects, task_pages
        from db.connection import reading

        try:
            with reading(self.project.database) as connection:
                models = projects.models(connection)
                shards, _ = progress.totals(connection)
                bands = max(1, rows // (len(models) + 1))
                together = max(1, -(-shards // (columns * bands)))
                cells = task_pages.coverage(connection, together)
            found = {(cell.place, cell.model_id): cell for cell in cells}
            self.post_message(self.MatrixRead(Matrix(models, shards, together, found)))
        except Exception as error:
            self.post_message(self.NotRead(describe_error(error)))

    @on(NotRead)
    def not_read(self, event: NotRead) -> None:
        self.query_one("#cell", Static).update(text.visible(event.reason))

    @on(MatrixRead)
    def matrix_read(self, event: MatrixRead) -> None:
        self.matrix = event.matrix
        self.draw()

    @property
    def places(self) -> int:
        return -(-self.matrix.shards // self.matrix.together) if self.matrix else 1

    def cell(self, place: int, model: int) -> Cell | None:
        if self.matrix is None:
            return None
        return self.matrix.cells.get((place, self.matrix.models[model].id))

    def draw(self) -> None:
        matrix = self.matrix
        if matrix is None:
            return
        columns = self.columns
        lines: list[Content] = []
        for first in range(0, self.places, columns):
            last = min(self.places, first + columns)
            lines.append(Content.styled(f"{first * matrix.together:05}", "$foreground-muted"))
            for number, model in enumerate(matrix.models):
                signs = [self.sign(place, number) for place in range(first, last)]
                lines.append(Content.assemble(f"{text.fit(model.name, GUTTER - 1)} ", *signs))
        self.query_one("#matrix", Static).update(Content("\n").join(lines))
        self.query_one("#cell", Static).update(self.said())

    def sign(self, place: int, model: int) -> tuple[str, str]:
        cell = self.cell(place, model)
        sign, style = symbol(cell) if cell else (" ", "")
        return (sign, f"{style} reverse") if (place, model) == self.at else (sign, style)

    def said(self) -> str:
        matrix, cell = self.matrix, self.cell(*self.at)
        if matrix is None or cell is None:
            return ""
        first = cell.place * matrix.together
        last = min(matrix.shards, first + matrix.together) - 1
        where = f"shard {first:05}" if first == last else f"shards {first:05} to {last:05}"
        counts = [f"{cell.done} of {text.plural(cell.tasks, 'shard')} done"]
        counts += [
            f"{count} {what}"
            for count, what in ((cell.running, "running"), (cell.failed, "failed"))
            if count
        ]
        counts.append(f"{text.number(cell.captioned)} captions")
        counts += [f"{text.plural(cell.lost, 'record')} failed"] * bool(cell.lost)
        model = text.visible(matrix.models[self.at[1]].name)
        return f"{where}, {model}: {', '.join(counts)}"

    # Keys

    def action_move(self, right: int, down: int) -> None:
        if self.matrix is None:
            return
        place, model = self.at
        model += down
        if not 0 <= model < len(self.matrix.models):
            moved = place + down * self.columns
            if 0 <= moved < self.places:
                place, model = moved, model % len(self.matrix.models)
            else:
                model -= down
        self.at = (max(0, min(place + right, self.places - 1)), model)
        self.draw()

    def action_hole(self, by: int) -> None:
        """The next cell that is not done, along the models and then the shards."""
        if self.matrix is None:
            return
        models = len(self.matrix.models)
        here = self.at[0] * models + self.at[1]
        count = self.places * models
        for step in range(1, count + 1):
            place, model = divmod((here + by * step) % count, models)
            cell = self.cell(place, model)
            if cell is not None and cell.done < cell.tasks - cell.skipped:
                self.at = (place, model)
                break
        self.draw()

    def action_open(self) -> None:
        matrix = self.matrix
        if matrix is None:
            return
        first = self.at[0] * matrix.together
        model = f"model:{matrix.models[self.at[1]].name}"
        if matrix.together == 1:
            self.dismiss(f"shard:{first} {model}")
        else:
            self.dismiss(f"!shard<{first} shard<{first + matrix.together} {model}")

    def action_close(self) -> None:
        self.dismiss(None)


def symbol(cell: Cell) -> tuple[str, str]:
    if cell.failed:
        return "!", "$text-error"
    if cell.skipped == cell.tasks:
        return "-", "$foreground-muted"
    if cell.done == cell.tasks:
        return ("x", "$text-warning") if cell.lost else ("█", "$text-success")
    if cell.captioned + cell.lost == 0 and not cell.running:
        return "·", "$foreground-muted"
    style = "$text-primary" if cell.running else ""
    return ("▒" if cell.share >= 0.5 else "░"), style
