"""The one entrance for inputs of every format, which chooses the reader by name and content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.byte_stream import BYTE_ORDER_MARK
from engine.datasets.inputs.folders import read_folder, read_tar
from engine.datasets.inputs.json_reader import BLANKS, read_batches
from engine.datasets.inputs.skipped import SkippedRecords
from engine.datasets.inputs.tables import read_csv, read_parquet
from engine.utils.errors import BadInput

COMPRESSED = {".gz", ".zst"}
TABLES = {".csv", ".tsv", ".tab"}
PACKED_TARS = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
"""Compressed tars, which are refused: their members have no offset to read an image from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSource:
    """A caption file, an image folder or a tar, and how to read it."""

    path: Path
    root: Path
    """The image root, to which the paths of images found in folders and tars are relative."""
    image_column: str | None = None
    """The column of image paths in a table; None means the usual names."""
    caption_column: str | None = None
    """The column of captions in a table; None means the usual names."""
    skipped: SkippedRecords | None = None
    """Takes records that cannot be read, which are then left out; None makes them an error."""


def read_input(source: InputSource) -> Iterator[RecordBatch]:
    """Yield the records in order. Raises `BadInput` with the position.

    The name decides: .csv, .tsv, .tab, .parquet, .tar, a folder. Anything else must be JSON.
    """
    path = source.path
    columns = source.image_column, source.caption_column
    suffix = file_suffix(path)
    if path.is_dir():
        return read_folder(path, source.root, *columns, source.skipped)
    if path.name.lower().endswith(PACKED_TARS):
        raise BadInput(f"{path} is a compressed tar, whose members have no place: unpack it first")
    if suffix == ".tar":
        return read_tar(path, source.root, source.skipped)
    if suffix == ".parquet":
        return read_parquet(path, *columns, source.skipped)
    if suffix in TABLES:
        return read_csv(path, *columns, source.skipped)
    return read_batches(path, source.skipped)


def file_suffix(path: Path) -> str:
    """Return the suffix in lower case; that of a compression, at the end, is passed over."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_array(path: Path) -> bool:
    """Return True if the file is a JSON array that is not compressed. Raises `BadInput`."""
    if path.is_dir() or file_suffix(path) in {*TABLES, ".parquet", ".tar"}:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(4096).removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    return head.lstrip(BLANKS).startswith(b"[")
