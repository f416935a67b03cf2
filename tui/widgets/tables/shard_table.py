from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from db.rows import STATE_WORDS
from tui.formatting import text
from tui.widgets.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from db.rows import TaskRow

NAMES = {"done": "good", "failed": "bad", "running": "busy"}


class ShardTable(Table["TaskRow"]):
    """Tasks: one shard for one model a row."""

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
                Column("State", 5, state),
                Column("Captioned", 15, captioned, right=True),
                Column("Failed", 6, lambda task: text.number(task.failed), right=True),
                Column("Prio", 4, lambda task: f"{task.priority:+}" if task.priority else "", True),
                Column("Tries", 5, lambda task: str(task.attempt), right=True),
                Column("Updated", 8, lambda task: text.clock(task.updated), right=True),
                Column("Error", 0, lambda task: task.error or ""),
            ),
            id=id,
        )
        self.last_mark = 0

    def key(self, row: TaskRow) -> object:
        return row.id

    def action_mark(self) -> None:
        if self.current is not None:
            self.marked ^= {self.current.id}
            self.last_mark = self.cursor
            self.action_move(1)
            self.refresh()
            self.post_message(self.Moved(self))

    def action_mark_range(self) -> None:
        """Rows that are not loaded stay as they are."""
        first, last = sorted((self.last_mark, self.cursor))
        rows = (self.row(index) for index in range(first, last + 1))
        self.marked |= {row.id for row in rows if row is not None}
        self.refresh()
        self.post_message(self.Moved(self))


def state(task: TaskRow) -> Cell:
    return STATE_WORDS[task.state], NAMES.get(task.state, "muted")


def captioned(task: TaskRow) -> str:
    return f"{text.number(task.captioned)}/{text.number(task.count)}"
