"""Reader of tables with named columns in text: CSV and TSV."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.inputs.byte_stream import open_stream
from engine.datasets.inputs.columns import (
    CAPTION_COLUMNS,
    DOWNLOAD,
    IMAGE_COLUMNS,
    choose_columns,
    find_name,
)
from engine.datasets.inputs.input_report import BadRecord, CutShort, InputReport
from engine.datasets.inputs.list_cells import captions_in_cell
from engine.datasets.inputs.quoted_rows import NumberedRow, RowReader, blanks_follow, header_of
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.several import caption_pairs
from engine.datasets.inputs.text_lines import LONGEST_LINE, text_lines
from engine.utils.errors import BadInput

__all__ = ["BATCH_ROWS", "LONGEST_LINE", "read_csv", "text_lines"]

BATCH_ROWS = 10_000
"""Rows of a batch."""
HEADER_BYTES = 4096
"""Bytes at the start of a file in which a header must end."""
DELIMITERS = ",\t;|"
"""The characters that may part the cells of a row."""


def read_csv(path: Path, options: ReadOptions, report: InputReport) -> Iterator[RecordBatch]:
    """Yield the records of a CSV or TSV file. Raises `BadInput` with the line."""
    with open_stream(path) as stream:
        lines = text_lines(stream, report)
        header = next(lines, "")
        delimiter = choose_delimiter(path, header, options)
        skip_blanks = blanks_follow(header, delimiter)
        lines = chain([header], lines)
        rows = iter(RowReader(path, lines, delimiter, skip_blanks, options, report))
        _, names = next(rows, (1, []))
        if options.quoting == "none":
            names = header_of(header, delimiter) or names
        image, captions = choose_columns(path, names, options)
        columns = names.index(image), list(map(names.index, captions))
        cut: list[CutShort] = []
        pairs = until_cut(row_pairs(path, rows, columns, options, report), cut)
        empty, captioned = True, False
        while chunk := list(islice(pairs, BATCH_ROWS)):
            batch = batch_of_pairs(chunk)
            empty, captioned = False, captioned or any(batch.captions)
            yield batch
        for error in cut:
            report.leave_out(error)
        if empty:
            raise BadInput(f"{path} holds no records")
        if not captioned:
            report.see_without_captions(names)


def until_cut(pairs: Iterator[tuple[str, str]], cut: list[CutShort]) -> Iterator[tuple[str, str]]:
    """Yield the pairs up to where the file is cut short: the error is added to `cut`."""
    try:
        yield from pairs
    except CutShort as error:
        cut.append(error)


def has_header(path: Path) -> bool:
    """Return True if a file begins with the header of a table: usual names of images and captions.

    Raises `BadInput`.
    """
    with open_stream(path) as stream:
        header = stream.read(HEADER_BYTES).partition(b"\n")[0].decode(errors="replace")
    for delimiter in DELIMITERS:
        names = header_of(header, delimiter)
        if find_name(names, IMAGE_COLUMNS) and find_name(names, CAPTION_COLUMNS):
            return True
    return False


def choose_delimiter(path: Path, header: str, options: ReadOptions) -> str:
    """Return the delimiter that splits the header into known names, or else the most frequent one.

    Raises `BadInput` for a file that is empty or a table of links without a header.
    """
    if not header.strip():
        raise BadInput(f"{path} is empty")
    for delimiter in DELIMITERS:
        names = header_of(header, delimiter)
        image = options.image_column
        if image in names if image is not None else find_name(names, IMAGE_COLUMNS):
            return delimiter
    cells = header.strip().split("\t")
    if len(cells) == 2 and any(cell.startswith(("http://", "https://")) for cell in cells):
        raise BadInput(
            f"{path} is in Conceptual Captions' form, caption and link without a header: {DOWNLOAD}"
        )
    return max(DELIMITERS, key=header.count)


def row_pairs(
    path: Path,
    rows: Iterator[NumberedRow],
    columns: tuple[int, list[int]],
    options: ReadOptions,
    report: InputReport,
) -> Iterator[tuple[str, str]]:
    """Yield (image, caption) of each row, whose cells have these indices in `columns`.

    Raises `BadRecord` unless such rows are left out.
    """
    image_index, caption_indices = columns
    only = caption_indices[0] if len(caption_indices) == 1 else None
    for line, cells in rows:
        image = cells[image_index]
        caption = cells[only] if only is not None else ""
        if not image or "\0" in image or "\0" in caption:
            problem = "a NUL character" if image else "no image path"
            where = f"(at line {line:,}): correct or remove the line"
            report.leave_out(BadRecord(f"{path}: {problem} {where}"))
        elif caption.lstrip().startswith("["):
            yield from caption_pairs(image, captions_in_cell(caption), options, report)
        elif only is not None or not caption_indices:
            yield image, caption
        else:
            captions = [cells[index] for index in caption_indices if cells[index]]
            yield from caption_pairs(image, captions, options, report)
