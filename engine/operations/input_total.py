"""An estimate of how many records an input has, without reading all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.datasets.inputs.arrow_files import open_table_file
from engine.datasets.inputs.batch import Record
from engine.datasets.inputs.file_names import is_image, suffix_of
from engine.datasets.inputs.folder_walk import walk_folder
from engine.datasets.inputs.hub_folders import find_tables
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.images.tar_members import index_of
from engine.utils.errors import BadInput


def estimate_total(path: Path, options: ReadOptions, records: Sequence[Record]) -> int:
    """Return about how many records an input has, of which `records` are the first.

    Raises `BadInput`.
    """
    try:
        if path.is_dir():
            return max(len(records), in_folder(path, options))
        match suffix_of(path.name):
            case ".tar":
                return max(len(records), in_tar(path))
            case ".parquet" | ".arrow":
                return sum(open_table_file(path).group_rows)
        length = sum(len(record.line) + 2 for record in records)
        return round(path.stat().st_size / length * len(records))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def in_folder(folder: Path, options: ReadOptions) -> int:
    """Return how many records a folder has, by its images or tables, or by its first tar."""
    tables = find_tables(folder, options)
    if tables is not None:
        return sum(sum(open_table_file(table).group_rows) for table in tables)
    images = 0
    tars: list[Path] = []
    for files in walk_folder(folder, InputReport(skip_bad=True)):
        images += sum(map(is_image, files.names))
        tars += (files.folder / name for name in files.names if suffix_of(name) == ".tar")
    if not tars:
        return images
    sizes = [tar.stat().st_size for tar in tars]
    return round(in_tar(tars[0]) * sum(sizes) / max(1, sizes[0]))


def in_tar(archive: Path) -> int:
    """Return how many images a tar has, as far as it can be read. Raises `OSError`."""
    index = index_of(str(archive))
    return sum(is_image(index.name(position)) for position in range(len(index)))
