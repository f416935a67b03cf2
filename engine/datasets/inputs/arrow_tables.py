"""Readers of tables with typed columns: Parquet, and the Arrow files of `save_to_disk`.

Images inside of the table stay there: their records name file, column and row, and
`engine.images.table_images` opens them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from engine.datasets.inputs.arrow_files import NoRecords, TableFile, open_table_file, pyarrow_errors
from engine.datasets.inputs.arrow_images import (
    ImageColumn,
    ReadPlan,
    image_columns,
    image_name,
    is_list,
    is_text,
)
from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.inputs.columns import choose_columns, refuse_twins
from engine.datasets.inputs.conversations import ANSWERS
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.list_cells import captions_in_cell
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.record_layouts import NO_IMAGE, ONE_IMAGE, captions_under
from engine.datasets.inputs.several import caption_pairs
from engine.utils.errors import BadInput
from engine.utils.optional_imports import import_extra

BATCH_ROWS = 10_000
"""Rows of a batch."""
IMAGE_BATCH_ROWS = 100
"""Rows of a batch whose images are read: they fill the memory."""


class Columns(NamedTuple):
    """The columns of a table that are read."""

    image: ImageColumn
    captions: list[str]
    """The columns of captions: one, several with a number, or none."""
    are_texts: bool
    """True if the captions are plain texts, and not lists or conversations."""


def read_table(
    path: Path, address: str, options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of a Parquet or Arrow file. Raises `BadInput` with the row.

    `address` is the path as records name it, for images inside of it. Rows without an image are bad
    records, and so are rows that cannot be read.
    """
    table = open_table_file(path)
    with pyarrow_errors(path):
        columns = choose(path, table, options)
    reader = RowPairs(path, address, columns, options, report)
    first, captioned = 0, False
    for group, rows in enumerate(table.group_rows):
        row = first
        try:
            for batch_rows, pairs in group_pairs(table, reader, group, first):
                row += batch_rows
                if pairs:
                    batch = batch_of_pairs(pairs)
                    captioned = captioned or any(batch.captions)
                    yield batch
        except BadRecord:
            raise
        except BadInput as error:
            report.leave_out(BadRecord(f"{error} (rows {row:,} to {first + rows - 1:,})"))
        first += rows
    if not first:
        raise NoRecords(f"{path} holds no records")
    if not captioned:
        report.see_without_captions(table.schema.names)


def group_pairs(
    table: TableFile, reader: RowPairs, group: int, first: int
) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Yield the number of rows of each batch of a row group, and its (image, caption) pairs.

    `first` is the number of the group's first row. Raises `BadInput` for rows that cannot be read,
    and `BadRecord` unless such records are left out.
    """
    with pyarrow_errors(reader.path):
        plan = reader.columns.image.plan(group)
        rows = IMAGE_BATCH_ROWS if plan.reads_images else BATCH_ROWS
        for batch in table.read(group, [plan.column, *reader.columns.captions], rows):
            yield batch.num_rows, list(reader.read(batch, plan, first))
            first += batch.num_rows


def choose(path: Path, table: TableFile, options: ReadOptions) -> Columns:
    """Return the columns that are read. Raises `BadInput`."""
    arrow = import_extra("pyarrow", "formats", f"{path} is read by pyarrow")
    names = table.schema.names
    inside = image_columns(table.schema)
    if options.image_column is None and len(inside) == 1:
        options = replace(options, image_column=inside[0])
    image, captions = choose_columns(path, names, options)
    if not captions:
        captions = [name for name in ANSWERS if name in names][:1]
        for name in captions:
            refuse_twins(path, names, name)
    are_texts = True
    for name in captions:
        kind = table.schema.field(name).type
        if is_list(arrow, kind) or arrow.types.is_struct(kind):
            are_texts = False
        elif not is_text(arrow, kind) and not arrow.types.is_null(kind):
            raise BadInput(f"{path}: column {name!r} is {kind}, not text")
    return Columns(ImageColumn(path, table, image), captions, are_texts)


class RowPairs:
    """Makes the records of the rows of one file."""

    def __init__(
        self,
        path: Path,
        address: str,
        columns: Columns,
        options: ReadOptions,
        report: InputReport,
    ) -> None:
        self.path = path
        self.address = address
        self.columns = columns
        self.options = options
        self.report = report

    def read(self, batch: Any, plan: ReadPlan, first: int) -> Iterator[tuple[str, str]]:
        """Yield (image, caption) of the rows of a record batch, of which `first` is the first.

        Raises `BadRecord` unless such rows are left out.
        """
        image = self.columns.image
        texts = [batch.column(name).to_pylist() for name in self.columns.captions]
        for index, cell in enumerate(image.cells(batch, plan)):
            row = first + index
            try:
                captions = self.captions([column[index] for column in texts])
                if cell is None or not cell.images:
                    if not self.columns.are_texts:
                        self.report.pass_over(NO_IMAGE, f"row {row:,} of {self.path}")
                        continue
                    raise ValueError("no image path")
                if cell.images > 1:
                    several = "records of several images"
                    self.report.pass_over(several, f"row {row:,} of {self.path}", ONE_IMAGE)
                    continue
                name = image_name(self.address, image.name, row, cell)
                if not name or "\0" in name:
                    raise ValueError("no image path" if not name else "a NUL character")
            except ValueError as error:
                self.report.leave_out(BadRecord(f"{self.path}: {error} (in row {row:,})"))
            else:
                yield from caption_pairs(name, captions, self.options, self.report)

    def captions(self, values: list[Any]) -> list[str]:
        """Return the captions in the cells of a row. Raises `ValueError`."""
        if self.columns.are_texts:
            return [text for value in values if value for text in captions_in_cell(value)]
        names = self.columns.captions
        pairs = zip(names, values, strict=True)
        return [text for name, value in pairs for text in captions_under(name, value)[1]]
