"""Readers of tables with named columns: CSV, TSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.inputs.byte_stream import ByteStream, open_stream
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.utils.errors import BadInput
from engine.utils.optional_imports import import_extra

IMAGE_COLUMNS = ("image", "filepath", "file_name", "image_path", "img_path", "path", "filename")
"""Usual names of the column of image paths, the first one of which in the table counts."""
CAPTION_COLUMNS = ("caption", "title", "text")
"""Usual names of the column of captions, the first one of which in the table counts."""
READ_BYTES = 1 << 20
"""Bytes that are read at a time."""
LONGEST_LINE = 16 << 20
"""Bytes that a line may have: a file with longer ones is no caption file, and must not fill the
memory."""
BATCH_ROWS = 10_000
"""Rows of a batch."""
DELIMITERS = ",\t;"
"""The characters that may part the cells of a row."""
DOWNLOAD = (
    "images must be local: download them, with img2dataset for one, and give its tars or folders"
)
"""What to do about a table of links."""


def choose_columns(
    path: Path, names: Sequence[str], options: ReadOptions
) -> tuple[str, str | None]:
    """Return the columns of image paths and of captions; without captions the latter is None.

    Raises `BadInput`, which lists the columns of the table.
    """
    image, caption = options.image_column, options.caption_column
    image_column = first_of(names, [image] if image else IMAGE_COLUMNS)
    caption_column = first_of(names, [caption] if caption else CAPTION_COLUMNS)
    listed = ", ".join(repr(name[:40]) for name in names[:12])
    if image_column is None:
        if not image and "url" in (name.lower() for name in names):
            raise BadInput(f"{path} has links ('url') and no image paths: {DOWNLOAD}")
        missing = repr(image) if image else "of image paths"
        raise BadInput(
            f"{path} has no column {missing} (it has {listed}): name it with --image-column"
        )
    if caption and caption_column is None:
        raise BadInput(f"{path} has no column {caption!r} (it has {listed})")
    return image_column, caption_column


def first_of(names: Sequence[str], candidates: Sequence[str]) -> str | None:
    """Return the first of the candidates that is among the names, or None."""
    return next((name for name in candidates if name in names), None)


def read_csv(path: Path, options: ReadOptions, report: InputReport) -> Iterator[RecordBatch]:
    """Yield the records of a CSV or TSV file. Raises `BadInput` with the line."""
    with open_stream(path) as stream:
        lines = text_lines(stream)
        header = next(lines, "")
        delimiter = choose_delimiter(path, header, options.image_column)
        rows = numbered_rows(path, delimiter, header, lines)
        _, names = next(rows, (1, []))
        columns = column_indices(path, names, options)
        pairs = row_pairs(path, rows, names, columns, report)
        empty = True
        while chunk := list(islice(pairs, BATCH_ROWS)):
            empty = False
            yield batch_of_pairs(chunk)
        if empty:
            raise BadInput(f"{path} holds no records")


def choose_delimiter(path: Path, header: str, image: str | None) -> str:
    """Return the delimiter that splits the header into known names, or else the most frequent one.

    Raises `BadInput` for a file that is empty or a table of links without a header.
    """
    if not header.strip():
        raise BadInput(f"{path} is empty")
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:  # raised as `BadInput` where the rows are read
            continue
        if first_of(names, [image] if image else IMAGE_COLUMNS):
            return delimiter
    cells = header.strip().split("\t")
    if len(cells) == 2 and any(cell.startswith(("http://", "https://")) for cell in cells):
        raise BadInput(
            f"{path} is in Conceptual Captions' form, caption and link without a header: {DOWNLOAD}"
        )
    return max(DELIMITERS, key=header.count)


def column_indices(path: Path, names: list[str], options: ReadOptions) -> tuple[int, int | None]:
    """Return the indices of the columns of image paths and of captions. Raises `BadInput`."""
    image_column, caption_column = choose_columns(path, names, options)
    caption_index = None if caption_column is None else names.index(caption_column)
    return names.index(image_column), caption_index


def numbered_rows(
    path: Path, delimiter: str, header: str, lines: Iterator[str]
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row after the number of the line on which it ends; blank lines are passed over.

    Raises `BadInput`.
    """

    def chained() -> Iterator[str]:
        yield header
        yield from lines

    reader = csv.reader(chained(), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise BadInput(
            f"{path}: not CSV: {error} (at line {reader.line_num:,}): mind the quotation marks"
        ) from error


def row_pairs(
    path: Path,
    rows: Iterator[tuple[int, list[str]]],
    names: list[str],
    columns: tuple[int, int | None],
    report: InputReport,
) -> Iterator[tuple[str, str]]:
    """Yield (image, caption) of each row. Raises `BadRecord` unless such rows are left out."""
    for line, row in rows:
        try:
            pair = row_pair(path, line, row, names, *columns)
        except BadRecord as error:
            report.leave_out(error)
        else:
            yield pair


def row_pair(
    path: Path,
    line: int,
    row: list[str],
    names: list[str],
    image_index: int,
    caption_index: int | None,
) -> tuple[str, str]:
    """Return (image, caption) of a row. Raises `BadRecord` with the line."""
    if len(row) != len(names):
        raise BadRecord(
            f"{path}: {len(row)} columns where the header has {len(names)} (at line {line:,})"
        )
    image, caption = row[image_index], "" if caption_index is None else row[caption_index]
    if not image or "\0" in image or "\0" in caption:
        problem = "a NUL character" if image else "no image path"
        raise BadRecord(f"{path}: {problem} (at line {line:,}): mend or remove the line")
    return image, caption


def text_lines(stream: ByteStream) -> Iterator[str]:
    """Yield lines with their ends, cut as the csv module expects it. Raises `BadInput`."""
    rest = b""
    while block := stream.read(READ_BYTES):
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if len(rest) > LONGEST_LINE:
            raise BadInput(
                f"{stream.path}: a line of more than {LONGEST_LINE:,} bytes"
                f" (at byte {stream.position - len(rest):,}): is this a caption file?"
            )
        yield from StringIO(decode(stream, block[:end], len(rest)), newline="")
    if rest:
        yield decode(stream, rest, 0)


def decode(stream: ByteStream, data: bytes, bytes_after: int) -> str:
    """Decode bytes that end `bytes_after` bytes before the stream's position.

    Raises `BadInput` with the offset of what is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        offset = stream.position - bytes_after - len(data) + error.start
        raise BadInput(f"{stream.path}: not UTF-8 at byte {offset:,}: save it as UTF-8") from error


def read_parquet(path: Path, options: ReadOptions, report: InputReport) -> Iterator[RecordBatch]:
    """Yield the records of a Parquet file. Raises `BadInput` with the row.

    Rows without an image are bad records.
    """
    arrow = import_extra("pyarrow", "formats", f"{path} is Parquet")
    parquet = import_extra("pyarrow.parquet", "formats", f"{path} is Parquet")
    row_count = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            image_column, caption_column = choose_columns(path, names, options)
            columns = [image_column] if caption_column is None else [image_column, caption_column]
            for name in columns:
                refuse_other_types(path, arrow, file.schema_arrow.field(name))
            for table in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                images = table.column(image_column).to_pylist()
                if caption_column is None:
                    captions = [None] * len(images)
                else:
                    captions = table.column(caption_column).to_pylist()
                for index in (index for index, image in enumerate(images) if not image):
                    report.leave_out(
                        BadRecord(f"{path}: no image path (in row {row_count + index:,})")
                    )
                pairs = [(i, c or "") for i, c in zip(images, captions, strict=True) if i]
                if pairs:
                    yield batch_of_pairs(pairs)
                row_count += len(images)
    except (arrow.ArrowException, OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        first_line = str(error).partition("\n")[0][:200]
        raise BadInput(
            f"cannot read {path} as Parquet (after row {row_count:,}): {first_line}:"
            " fetch or make it again"
        ) from error
    if not row_count:
        raise BadInput(f"{path} holds no records")


def refuse_other_types(path: Path, arrow: Any, column: Any) -> None:
    """Raise `BadInput` unless the column holds texts."""
    kind = column.type
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
    if not (arrow.types.is_string(kind) or arrow.types.is_large_string(kind)):
        raise BadInput(f"{path}: column {column.name!r} is {column.type}, not text")
