"""CSV, TSV and Parquet with named columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

from engine.datasets.inputs.batch import Batch, batch_of
from engine.datasets.inputs.byte_stream import Stream, opened
from engine.datasets.inputs.skipped import BadRecord, Skipped
from engine.utils.errors import BadInput
from engine.utils.optional_imports import extra

IMAGE_COLUMNS = ("image", "filepath", "file_name", "image_path", "img_path", "path", "filename")
CAPTION_COLUMNS = ("caption", "title", "text")
READ_BYTES = 1 << 20
LONGEST_LINE = 16 << 20
ROWS = 10_000
DELIMITERS = ",\t;"
DOWNLOAD = (
    "images must be local: download them, with img2dataset for one, and give its tars or folders"
)


def choose_columns(
    path: Path, names: Sequence[str], image: str | None, caption: str | None
) -> tuple[str, str | None]:
    """The columns to read. Raises `BadInput` that names those there are."""
    found = first_of(names, [image] if image else IMAGE_COLUMNS)
    text = first_of(names, [caption] if caption else CAPTION_COLUMNS)
    there = ", ".join(repr(name[:40]) for name in names[:12])
    if found is None:
        if not image and "url" in (name.lower() for name in names):
            raise BadInput(f"{path} has links ('url') and no image paths: {DOWNLOAD}")
        wanted = repr(image) if image else "of image paths"
        raise BadInput(
            f"{path} has no column {wanted} (it has {there}): name it with --image-column"
        )
    if caption and text is None:
        raise BadInput(f"{path} has no column {caption!r} (it has {there})")
    return found, text


def first_of(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def read_csv(
    path: Path, image: str | None, caption: str | None, skipped: Skipped | None = None
) -> Iterator[Batch]:
    """Lines that are no records are left out where `skipped` takes them. Raises `BadInput` with
    the line."""
    with opened(path) as stream:
        lines = text_lines(stream)
        header = next(lines, "")
        delimiter = delimiter_of(path, header, image)
        rows = numbered_rows(path, delimiter, header, lines)
        _, names = next(rows, (1, []))
        at, text_at = columns_at(path, names, image, caption)
        pairs = pairs_of(path, rows, names, (at, text_at), skipped)
        empty = True
        while chunk := list(islice(pairs, ROWS)):
            empty = False
            yield batch_of(chunk)
        if empty:
            raise BadInput(f"{path} holds no records")


def delimiter_of(path: Path, header: str, image: str | None) -> str:
    """The one that splits the header into known names; else the most frequent."""
    if not header.strip():
        raise BadInput(f"{path} is empty")
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:  # said where the rows are read
            continue
        if first_of(names, [image] if image else IMAGE_COLUMNS):
            return delimiter
    cells = header.strip().split("\t")
    if len(cells) == 2 and any(cell.startswith(("http://", "https://")) for cell in cells):
        raise BadInput(
            f"{path} is in Conceptual Captions' form, caption and link without a header: {DOWNLOAD}"
        )
    return max(DELIMITERS, key=header.count)


def columns_at(
    path: Path, names: list[str], image: str | None, caption: str | None
) -> tuple[int, int | None]:
    found, text = choose_columns(path, names, image, caption)
    return names.index(found), None if text is None else names.index(text)


def numbered_rows(
    path: Path, delimiter: str, header: str, lines: Iterator[str]
) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which they end; blank lines are passed over."""

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


def pairs_of(
    path: Path,
    rows: Iterator[tuple[int, list[str]]],
    names: list[str],
    columns: tuple[int, int | None],
    skipped: Skipped | None,
) -> Iterator[tuple[str, str]]:
    for line, row in rows:
        try:
            found = pair(path, line, row, names, *columns)
        except BadRecord as error:
            if skipped is None:
                raise
            skipped.add(str(error))
        else:
            yield found


def pair(
    path: Path, line: int, row: list[str], names: list[str], at: int, text_at: int | None
) -> tuple[str, str]:
    if len(row) != len(names):
        raise BadRecord(
            f"{path}: {len(row)} columns where the header has {len(names)} (at line {line:,})"
        )
    image, caption = row[at], "" if text_at is None else row[text_at]
    if not image or "\0" in image or "\0" in caption:
        what = "a NUL character" if image else "no image path"
        raise BadRecord(f"{path}: {what} (at line {line:,}): mend or remove the line")
    return image, caption


def text_lines(stream: Stream) -> Iterator[str]:
    """Lines with their ends, cut as the csv module wants it. Raises `BadInput`."""
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
        yield from StringIO(decoded(stream, block[:end], len(rest)), newline="")
    if rest:
        yield decoded(stream, rest, 0)


def decoded(stream: Stream, data: bytes, after: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        place = stream.position - after - len(data) + error.start
        raise BadInput(f"{stream.path}: not UTF-8 at byte {place:,}: save it as UTF-8") from error


def read_parquet(
    path: Path, image: str | None, caption: str | None, skipped: Skipped | None = None
) -> Iterator[Batch]:
    """Rows without an image are left out where `skipped` takes them. Raises `BadInput` with the
    row."""
    arrow = extra("pyarrow", "formats", f"{path} is Parquet")
    parquet = extra("pyarrow.parquet", "formats", f"{path} is Parquet")
    place = 0
    try:
        with parquet.ParquetFile(path) as file:
            found, text = choose_columns(path, file.schema_arrow.names, image, caption)
            columns = [found] if text is None else [found, text]
            for name in columns:
                refuse_other_types(path, arrow, file.schema_arrow.field(name))
            for table in file.iter_batches(batch_size=ROWS, columns=columns):
                images = table.column(found).to_pylist()
                captions = [None] * len(images) if text is None else table.column(text).to_pylist()
                for at in (at for at, image in enumerate(images) if not image):
                    why = f"{path}: no image path (in row {place + at:,})"
                    if skipped is None:
                        raise BadRecord(why)
                    skipped.add(why)
                pairs = [(i, c or "") for i, c in zip(images, captions, strict=True) if i]
                if pairs:
                    yield batch_of(pairs)
                place += len(images)
    except (arrow.ArrowException, OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        first = str(error).partition("\n")[0][:200]
        raise BadInput(
            f"cannot read {path} as Parquet (after row {place:,}): {first}: fetch or make it again"
        ) from error
    if not place:
        raise BadInput(f"{path} holds no records")


def refuse_other_types(path: Path, arrow: Any, column: Any) -> None:
    kind = column.type
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
    if not (arrow.types.is_string(kind) or arrow.types.is_large_string(kind)):
        raise BadInput(f"{path}: column {column.name!r} is {column.type}, not text")
