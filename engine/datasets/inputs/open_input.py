"""The one entrance for inputs of every format, which chooses the reader by name and content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.byte_stream import BYTE_ORDER_MARK
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.json_reader import BLANKS, read_batches
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.tables import has_header, read_csv
from engine.datasets.inputs.unread_files import refuse_archive, refuse_binary
from engine.utils.errors import BadInput

COMPRESSED = {".gz", ".zst"}
TABLES = {".csv", ".tsv", ".tab"}
TYPED_TABLES = {".parquet", ".arrow"}
JSON_SUFFIXES = {".json", ".jsonl", ".ndjson"}


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

    The name decides: .csv, .tsv, .tab, .parquet, .arrow, .tar, a folder. Anything else must be
    JSON, or a table whose header says so.
    """
    path, options = source.path, source.options
    suffix = file_suffix(path)
    is_folder = path.is_dir()
    if not is_folder:
        refuse_archive(path)
    if is_folder or suffix == ".tar" or suffix in TYPED_TABLES:
        return choose_image_reader(source, suffix, report)
    refuse_binary(path)
    if suffix in TABLES or (suffix not in JSON_SUFFIXES and has_header(path)):
        return read_csv(path, options, report)
    return read_batches(path, source.root, options, report)


def choose_image_reader(
    source: InputSource, suffix: str, report: InputReport
) -> Iterator[RecordBatch]:
    """Return the records of an input that may hold the images themselves.

    Its readers are imported here, for with them come Pillow and NumPy, and each process of a merge
    would wait a tenth of a second for these.
    """
    from engine.datasets.inputs.arrow_tables import read_table
    from engine.datasets.inputs.folders import image_path, read_folder
    from engine.datasets.inputs.hub_folders import find_tables, read_table_folder
    from engine.datasets.inputs.tars import read_tar

    path, options = source.path, source.options
    if path.is_dir():
        tables = find_tables(path, options)
        if tables is not None:
            return read_table_folder(path, tables, source.root, options, report)
        return read_folder(path, source.root, options, report)
    reader = read_tar if suffix == ".tar" else read_table
    return reader(path, image_path(path, source.root), options, report)


def file_suffix(path: Path) -> str:
    """Return the suffix in lower case; that of a compression, at the end, is passed over."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_array(path: Path) -> bool:
    """Return True if the file is a JSON array that is not compressed. Raises `BadInput`."""
    if path.is_dir() or file_suffix(path) in {*TABLES, *TYPED_TABLES, ".tar"}:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(4096).removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    return head.lstrip(BLANKS).startswith(b"[")
