"""The table of tasks on the Shards screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui.formatting import text
from tui.viewmodel.state_labels import TASK_LABELS
from tui.widgets.tables.table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from db.rows import TaskRow

STATE_CLASSES = {"done": "good", "failed": "bad", "running": "busy"}
"""The component class that colours a task state; others are `muted`."""


class ShardTable(VirtualTable["TaskRow"]):
    """One row per task (a shard for a model); rows can be marked, one by one or in a range."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "space",
            "mark",
            "Mark",
            key_display="spc",
            tooltip="Mark or unmark",
            id="shards.mark",
        ),
        Binding(
            "ctrl+@",
            "mark_range",
            "Mark range",
            show=False,
            tooltip="Mark from the last mark to here",
            key_display="ctrl+space",
            id="shards.mark_range",
        ),
    ]

    def __init__(self, model_name: Callable[[int], str], id: str | None = None) -> None:
        super().__init__(
            (
                Column("Shard", 6, lambda task: f"{task.shard:05}"),
                Column("Model", 14, lambda task: model_name(task.model_id)),
                Column("State", 5, state_cell),
                Column("Captioned", 15, captioned_cell, align_right=True),
                Column("Failed", 6, lambda task: text.number(task.failed), align_right=True),
                Column("Prio", 4, priority_cell, align_right=True, optional=True),
                Column("Tries", 5, tries_cell, align_right=True, optional=True),
                Column("Updated", 8, updated_cell, align_right=True, optional=True),
                Column("Error", 0, lambda task: task.error or ""),
            ),
            id=id,
        )
        self.last_mark = 0
        """The index of the row that was marked or unmarked last."""

    def row_key(self, row: TaskRow) -> object:
        return row.id

    def action_mark(self) -> None:
        if self.current is not None:
            self.marked ^= {self.current.id}
            self.last_mark = self.cursor
            self.action_move(1)
            self.refresh()
            self.post_message(self.Moved(self))

    def action_mark_range(self) -> None:
        """Mark the loaded rows from the one marked last to the cursor."""
        first, last = sorted((self.last_mark, self.cursor))
        rows = (self.row(index) for index in range(first, last + 1))
        self.marked |= {row.id for row in rows if row is not None}
        self.refresh()
        self.post_message(self.Moved(self))


def state_cell(task: TaskRow) -> Cell:
    return TASK_LABELS[task.state], STATE_CLASSES.get(task.state, "muted")


def priority_cell(task: TaskRow) -> str:
    return f"{task.priority:+}" if task.priority else ""


def captioned_cell(task: TaskRow) -> str:
    return f"{text.number(task.captioned)}/{text.number(task.count)}"


def tries_cell(task: TaskRow) -> str:
    return str(task.attempt)


def updated_cell(task: TaskRow) -> str:
    return text.clock(task.updated)
