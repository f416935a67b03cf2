"""Images inside of Parquet and Arrow files, addressed as if the file were a folder.

`train.parquet/image/12.jpg` is the image in row 12, from 0, of the column `image`. The suffix says
what the image is and is not looked at. A column holds Hugging Face's images (a struct of `bytes`
and `path`, or a list of one of these) or plain bytes. The rows are read a row group at a time, and
the last groups are kept: whoever goes through the rows in order reads each group once.
"""

from __future__ import annotations

import os
import re
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from engine.utils.errors import BadInput
from engine.utils.optional_imports import import_extra

SUFFIXES = (".parquet", ".arrow")
"""How the names of such files end."""
ROW = re.compile(r"(?P<column>[^/]+)/(?P<row>[0-9]{1,15})(\.\w+)?")
"""An address within a file."""
MAX_OPEN_FILES = 16
"""Files whose structure is remembered."""
MAX_KEPT_BYTES = 256 * 2**20
"""Bytes of row groups that are kept. The last one is kept whatever its size."""


class TableRow(NamedTuple):
    """An image's place in a file."""

    file: str
    """The path of the file."""
    column: str
    row: int
    """The number of the row, from 0."""


def address(column: str, row: int, suffix: str) -> str:
    """Return the address of an image within its file."""
    return f"{quote(column, safe='').replace('.', '%2E')}/{row}{suffix}"


def find_row(path: str) -> TableRow | None:
    """Return the place that a path through a Parquet or Arrow file names.

    None means that the path leads through no such file, or that its form is another.
    """
    for suffix in SUFFIXES:
        start = 0
        while (at := path.find(suffix + os.sep, start)) >= 0:
            start = at + len(suffix)
            match = ROW.fullmatch(os.path.normpath(path[start + 1 :]))
            if match and Path(path[:start]).is_file():
                return TableRow(path[:start], unquote(match["column"]), int(match["row"]))
    return None


def row_exists(place: TableRow) -> bool:
    """Return True if the file has this column and row. Raises `OSError`."""
    with pyarrow_errors(place.file):
        table = open_table(place.file)
        return place.column in table.columns and place.row < table.rows


def read_row(place: TableRow) -> bytes | None:
    """Return the content of an image file, or None if there is no such column, row or content.

    Raises `OSError`.
    """
    with pyarrow_errors(place.file):
        table = open_table(place.file)
        if place.column not in table.columns or place.row >= table.rows:
            return None
        group = bisect_right(table.ends, place.row)
        first = table.ends[group - 1] if group else 0
        return image_bytes(GROUPS.get(table, group, place.column)[place.row - first].as_py())


@contextmanager
def pyarrow_errors(file: str) -> Iterator[None]:
    """Turn what pyarrow raises for a damaged file, and its absence, into `OSError`."""
    try:
        arrow = import_extra("pyarrow", "formats", f"{file} is read by pyarrow")
    except BadInput as error:
        raise OSError(str(error)) from error
    try:
        yield
    except (arrow.ArrowException, UnicodeDecodeError, LookupError) as error:
        raise OSError(f"{file}: {str(error).partition(chr(10))[0][:200]}") from error


def image_bytes(value: Any) -> bytes | None:
    """Return the bytes of a cell: of a struct with them, or of a list of one; None without any."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, dict):
        value = value.get("bytes")
    return value if isinstance(value, bytes) else None


class RowGroups(NamedTuple):
    """The structure of a file."""

    file: str
    stamp: tuple[int, int]
    """The file's time of change in nanoseconds, and its size: a replaced file has others."""
    columns: frozenset[str]
    ends: list[int]
    """The number of rows up to the end of each row group."""
    handle: Any
    """What reads the groups: pyarrow's ParquetFile, or the batches of an Arrow file."""

    @property
    def rows(self) -> int:
        """The number of all rows."""
        return self.ends[-1] if self.ends else 0


def open_table(file: str) -> RowGroups:
    """Return the structure of a Parquet or Arrow file. Raises what pyarrow does, and `OSError`."""
    status = Path(file).stat()
    with OPEN_LOCK:
        return read_structure(file, (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=MAX_OPEN_FILES)
def read_structure(file: str, stamp: tuple[int, int]) -> RowGroups:
    """Return the structure of a file with this stamp."""
    if file.endswith(".arrow"):
        batches = arrow_batches(file)
        names = batches[0].schema.names if batches else []
        ends = list(accumulate(batch.num_rows for batch in batches))
        return RowGroups(file, stamp, frozenset(names), ends, batches)
    parquet = import_extra("pyarrow.parquet", "formats", f"{file} is Parquet")
    handle = parquet.ParquetFile(file)
    groups = handle.metadata.num_row_groups
    ends = list(accumulate(handle.metadata.row_group(g).num_rows for g in range(groups)))
    return RowGroups(file, stamp, frozenset(handle.schema_arrow.names), ends, handle)


def arrow_batches(file: str) -> list[Any]:
    """Return the record batches of an Arrow file, of the stream or the file format, unread.

    The file is mapped into memory. Raises what pyarrow does, and `OSError`.
    """
    arrow = import_extra("pyarrow", "formats", f"{file} is an Arrow file")
    source = arrow.memory_map(file)
    try:
        batches = list(arrow.ipc.open_stream(source))
    except arrow.ArrowInvalid:
        source.seek(0)
        reader = arrow.ipc.open_file(source)
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    for batch in batches:
        batch.validate(full=True)  # an offset beyond the file would end the process
    return batches


class GroupCache:
    """The row groups that were read last, for all threads of a process."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self.max_bytes = max_bytes
        self.groups: OrderedDict[tuple[str, tuple[int, int], str, int], Any] = OrderedDict()
        """The column's cells, by file, stamp, column and group; the one used last at the end."""
        self.lock = threading.Lock()
        """Held while a group is read, so that threads do not read the same one at the same time."""

    def get(self, table: RowGroups, group: int, column: str) -> Any:
        """Return the cells of a column in a row group. Raises what pyarrow does, and `OSError`."""
        if not table.file.endswith(".parquet"):
            return table.handle[group].column(column)  # mapped: nothing is to be kept
        key = (table.file, table.stamp, column, group)
        with self.lock:
            cells = self.groups.pop(key, None)
            if cells is None:
                part = table.handle.read_row_group(group, columns=[column], use_threads=False)
                cells = part.column(column)
            self.groups[key] = cells
            size = sum(kept.nbytes for kept in self.groups.values())
            while size > self.max_bytes and len(self.groups) > 1:
                size -= self.groups.popitem(last=False)[1].nbytes
            return cells


OPEN_LOCK = threading.Lock()
"""Held while the structure of a file is read."""
GROUPS = GroupCache()
