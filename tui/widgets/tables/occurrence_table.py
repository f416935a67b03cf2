"""The table of what failed for a cause on the Failures screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui.formatting import text
from tui.viewmodel.failures_by_image import FailedImage, ImagePlace
from tui.widgets.tables.sortable_table import SortableTable
from tui.widgets.tables.table import Column

if TYPE_CHECKING:
    from db.rows import RecordKey


class OccurrenceTable(SortableTable[FailedImage]):
    """One row per image that failed for the chosen cause, or a shard; rows can be marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", False, tooltip="Mark or unmark", id="failures.mark"),
    ]

    def __init__(self, model_name: Callable[[int], str], id: str | None = None) -> None:
        self.places: Mapping[RecordKey, ImagePlace] = {}
        """Where the images lie, as far as that was read."""

        def models(row: FailedImage) -> str:
            return ", ".join(model_name(failure.model_id) for failure in row.failures)

        super().__init__(
            (
                Column("Record", 11, lambda row: row.name),
                Column("Image", 0, self.image_cell, least=12),
                Column("Models", 14, models, optional=True),
                Column("Failed at", 9, lambda row: text.clock(row.failed_at), optional=True),
            ),
            id=id,
        )

    def image_cell(self, row: FailedImage) -> str:
        key = row.record_key
        if key is None:
            return "the whole shard" if row.failures[0].index is None else ""
        return self.places[key].image if key in self.places else "..."

    def place_of(self, row: FailedImage | None) -> ImagePlace | None:
        """Return where the image of a row lies; None if that is not known."""
        key = row.record_key if row is not None else None
        return None if key is None else self.places.get(key)

    def row_key(self, row: FailedImage) -> object:
        return row.row_key

    def action_mark(self) -> None:
        if self.current is not None:
            self.marked ^= {self.row_key(self.current)}
            self.action_move(1)
            self.refresh()
            self.post_message(self.Moved(self))
