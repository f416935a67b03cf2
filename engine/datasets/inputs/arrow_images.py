"""Columns of images in typed tables: paths, or Hugging Face's images inside of the table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from engine.datasets.inputs.arrow_files import TableFile
from engine.images.table_images import address
from engine.utils.errors import BadInput
from engine.utils.optional_imports import import_extra

HEAD_BYTES = 16
"""Bytes of an image by which its kind is told."""
PATH_ROWS = 10_000
"""Rows whose paths are looked at together."""
HEADS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"\0\0\0\x0cjP", ".jp2"),
)
"""How images begin, and their suffixes."""
LONGEST_SUFFIX = 6
"""Characters of a suffix of an image, with its dot: more belongs to a name with a dot in it."""


class ImageCell(NamedTuple):
    """What a cell of a column of images holds."""

    path: str | None
    """The image path, or the name that an image inside of the table once had."""
    head: bytes | None = None
    """The first bytes of an image inside of the table, an empty text if they were not read; None if
    there is no such image."""
    images: int = 1
    """The number of images in the cell."""

    def suffix(self) -> str:
        """Return the suffix of an image inside of the table: of its name, or by its content."""
        suffix = PurePosixPath(self.path or "").suffix.lower()
        if 1 < len(suffix) <= LONGEST_SUFFIX and suffix[1:].isalnum():
            return suffix
        head = self.head or b""
        if head[8:12] == b"WEBP":
            return ".webp"
        if head[4:8] == b"ftyp":
            return ".avif" if head[8:11] == b"avi" else ".heic"
        return next((suffix for start, suffix in HEADS if head.startswith(start)), "")


class ReadPlan(NamedTuple):
    """What is read of a column of images in a row group."""

    column: str
    """The column, or `column.path`."""
    reads_images: bool
    """True if the images themselves are read."""
    are_inside: bool
    """True if the table holds each image, as is known without reading them."""


class ImageColumn:
    """A column of images, and how it is read."""

    def __init__(self, path: Path, table: TableFile, name: str) -> None:
        """Look at the column's type. Raises `BadInput` if it holds no images."""
        self.arrow = import_extra("pyarrow", "formats", f"{path} is read by pyarrow")
        self.compute = import_extra("pyarrow.compute", "formats", f"{path} is read by pyarrow")
        self.table = table
        self.name = name
        kind = table.schema.field(name).type
        self.is_list = is_list(self.arrow, kind)
        self.kind = kind.value_type if self.is_list else kind
        if self.arrow.types.is_null(kind):
            raise BadInput(f"{path}: column {name!r} holds nothing: name another, --image-column")
        fields = field_names(self.arrow, self.kind)
        self.is_text = is_text(self.arrow, self.kind)
        self.holds_images = "bytes" in fields or is_binary(self.arrow, self.kind)
        if not (self.is_text or self.holds_images or "path" in fields):
            raise BadInput(
                f"{path}: column {name!r} is {kind}, not text and no images: name another with"
                " --image-column"
            )
        self.fields = fields

    def plan(self, group: int) -> ReadPlan:
        """Return what is to be read of a row group: the images only if need be.

        If the first row's image is inside of the table, all are taken to be: a record of one that
        is not there fails when it is opened.
        """
        whole = ReadPlan(self.name, self.holds_images, are_inside=False)
        if self.is_list or not self.table.reads_fields or not {"bytes", "path"} <= self.fields:
            return whole
        first = next(self.table.read(group, [self.name], 1), None)
        cells = [] if first is None else first.column(self.name).to_pylist()
        if not cells or not cells[0] or not cells[0]["bytes"]:
            return whole
        paths = ReadPlan(f"{self.name}.path", reads_images=False, are_inside=True)
        for batch in self.table.read(group, [paths.column], PATH_ROWS):
            structs = batch.column(self.name)
            if self.compute.struct_field(structs, "path").null_count > structs.null_count:
                return whole
        return paths

    def cells(self, batch: Any, plan: ReadPlan) -> list[ImageCell | None]:
        """Return the cells of a record batch; None for empty ones."""
        column = batch.column(self.name)
        if not self.is_list:
            return list(self.single_cells(column, plan))
        counts = self.compute.list_value_length(column).to_pylist()
        singles = self.single_cells(column.flatten(), plan)
        cells: list[ImageCell | None] = []
        for count in counts:
            parts = list(islice(singles, count or 0))
            cells.append(parts[0] if count == 1 else ImageCell(None, None, count or 0))
        return cells

    def single_cells(self, column: Any, plan: ReadPlan) -> Iterator[ImageCell | None]:
        """Yield the cells of a column that is no list."""
        if self.is_text:
            yield from (ImageCell(path) if path else None for path in column.to_pylist())
            return
        paths: list[str | None] = [None] * len(column)
        heads: list[bytes | None] = [None] * len(column)
        if "path" in self.fields:
            paths = self.compute.struct_field(column, "path").to_pylist()
        if plan.reads_images:
            data = self.compute.struct_field(column, "bytes") if self.fields else column
            heads = self.compute.binary_slice(data, 0, HEAD_BYTES).to_pylist()
        elif plan.are_inside:
            heads = [None if path is None else b"" for path in paths]
        for path, head in zip(paths, heads, strict=True):
            yield ImageCell(path, head) if path or head is not None else None


def image_name(file: str, column: str, row: int, cell: ImageCell) -> str:
    """Return the image of a record: a path, or the address of an image in `file`."""
    if cell.head is None:
        return cell.path or ""
    return f"{file}/{address(column, row, cell.suffix())}"


def image_columns(schema: Any) -> list[str]:
    """Return the names of the columns that hold Hugging Face's images."""
    arrow = import_extra("pyarrow", "formats", "the input is read by pyarrow")
    return [
        field.name
        for field in schema
        if {"bytes", "path"}
        <= field_names(arrow, field.type.value_type if is_list(arrow, field.type) else field.type)
    ]


def field_names(arrow: Any, kind: Any) -> set[str]:
    """Return the names of a struct's fields; none for other types."""
    return {field.name for field in kind} if arrow.types.is_struct(kind) else set()


def is_list(arrow: Any, kind: Any) -> bool:
    """Return True for the types of lists."""
    types = arrow.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_binary(arrow: Any, kind: Any) -> bool:
    """Return True for the types of bytes."""
    return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))


def is_text(arrow: Any, kind: Any) -> bool:
    """Return True for the types of texts."""
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        arrow.types.is_string(kind)
        or arrow.types.is_large_string(kind)
        or arrow.types.is_string_view(kind)
    )
