"""Parquet and Arrow files behind one interface: a schema, and row groups, read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from engine.images.table_images import arrow_batches
from engine.utils.errors import BadInput
from engine.utils.optional_imports import import_extra

READ_BYTES = 1 << 20
"""Bytes of a column that are read at a time. Without such a limit pyarrow reads all of a row group,
which may hold images, for the first of its rows."""


class TableFile(Protocol):
    """A file with typed columns."""

    schema: Any
    """The pyarrow schema."""
    group_rows: list[int]
    """The number of rows of each row group."""

    reads_fields: bool
    """True if a field of a struct can be read alone, as `column.field`."""

    def read(self, group: int, columns: list[str], rows: int) -> Iterator[Any]:
        """Yield the columns of a row group as record batches of at most this many rows."""


class NoRecords(BadInput):
    """Raised for a table without rows."""


class ParquetTable:
    """A Parquet file.

    Of its metadata nothing is looked at but the numbers of rows: where others are damaged, pyarrow
    ends the process.
    """

    reads_fields = True

    def __init__(self, path: Path) -> None:
        parquet = import_extra("pyarrow.parquet", "formats", f"{path} is Parquet")
        self.file = parquet.ParquetFile(path, buffer_size=READ_BYTES)
        self.schema = self.file.schema_arrow
        metadata = self.file.metadata
        groups = range(metadata.num_row_groups)
        self.group_rows = [metadata.row_group(group).num_rows for group in groups]

    def read(self, group: int, columns: list[str], rows: int) -> Iterator[Any]:
        return self.file.iter_batches(  # type: ignore[no-any-return]
            batch_size=rows, row_groups=[group], columns=columns, use_threads=False
        )


class ArrowTable:
    """An Arrow file, mapped into memory: whole columns cost nothing until they are looked at."""

    reads_fields = False

    def __init__(self, path: Path) -> None:
        self.batches = arrow_batches(str(path))
        if not self.batches:
            raise NoRecords(f"{path} holds no records")
        self.schema = self.batches[0].schema
        self.group_rows = [batch.num_rows for batch in self.batches]

    def read(self, group: int, columns: list[str], rows: int) -> Iterator[Any]:
        batch = self.batches[group].select(columns)
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


@contextmanager
def pyarrow_errors(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises for a damaged file into `BadInput`."""
    arrow = import_extra("pyarrow", "formats", f"{path} is read by pyarrow")
    try:
        yield
    except (arrow.ArrowException, OSError, UnicodeDecodeError, LookupError) as error:
        kind = "Arrow" if path.suffix.lower() == ".arrow" else "Parquet"
        first_line = str(error).partition("\n")[0][:200]
        raise BadInput(
            f"cannot read {path} as {kind}: {first_line}: fetch or make it again"
        ) from error


def open_table_file(path: Path) -> TableFile:
    """Open a Parquet or Arrow file. Raises `BadInput`."""
    with pyarrow_errors(path):
        return ArrowTable(path) if path.suffix.lower() == ".arrow" else ParquetTable(path)
