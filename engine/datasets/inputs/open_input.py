"""The one entrance for inputs of every format, which chooses the reader by name and content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.byte_stream import BYTE_ORDER_MARK
from engine.datasets.inputs.folders import read_folder, read_tar
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.json_reader import BLANKS, read_batches
from engine.datasets.inputs.read_options import ReadOptions
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
    options: ReadOptions = ReadOptions()  # noqa: RUF009 (frozen)


def read_input(source: InputSource, report: InputReport | None = None) -> Iterator[RecordBatch]:
    """Yield the records in order, and count them in `report`.

    Raises `BadInput` with the position, and `BadRecord` unless the report leaves such records out.
    """
    report = InputReport() if report is None else report
    for batch in choose_reader(source, report):
        report.add_batch(batch)
        yield batch


def choose_reader(source: InputSource, report: InputReport) -> Iterator[RecordBatch]:
    """Return the records of an input, from the reader that its name and content ask for.

    The name decides: .csv, .tsv, .tab, .parquet, .tar, a folder. Anything else must be JSON.
    """
    path, options = source.path, source.options
    suffix = file_suffix(path)
    if path.is_dir():
        return read_folder(path, source.root, options, report)
    if path.name.lower().endswith(PACKED_TARS):
        raise BadInput(f"{path} is a compressed tar, whose members have no place: unpack it first")
    if suffix == ".tar":
        return read_tar(path, source.root, report)
    if suffix == ".parquet":
        return read_parquet(path, options, report)
    if suffix in TABLES:
        return read_csv(path, options, report)
    return read_batches(path, report)


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
