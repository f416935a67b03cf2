"""Folders of tables: Parquet as the Hugging Face hub keeps it, and what `save_to_disk` writes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.datasets.inputs.arrow_files import NoRecords, open_table_file
from engine.datasets.inputs.arrow_images import image_columns
from engine.datasets.inputs.arrow_tables import read_table
from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.columns import IMAGE_COLUMNS, find_name
from engine.datasets.inputs.file_names import is_image, suffix_of
from engine.datasets.inputs.folder_walk import walk_folder
from engine.datasets.inputs.folders import image_path, is_tar
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.named_images import NamedImages
from engine.datasets.inputs.read_options import ReadOptions
from engine.utils.errors import BadInput

NUMBERED = re.compile(r"(?P<name>.+-)(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<end>.*)")
"""The name of one of several files of a split."""
SEARCH_DEPTH = 2
"""Folders between the input and its Parquet files, at most: `data/train-*.parquet`, or
`CONFIGURATION/SPLIT/*.parquet`."""
STATE = "state.json"
"""The file of a folder of `save_to_disk` that lists its Arrow files."""
SPLITS = "dataset_dict.json"
"""The file of a folder of `save_to_disk` with a folder for each split, which it lists."""
METADATA = "metadata.parquet"
"""A table of the images beside it, which the reader of image folders reads."""
BESIDE_TABLES = "images, tars and tables beside the tables that are read"
LARGEST_STATE = 16 << 20
"""Bytes of the largest file of these that is read."""


def find_tables(folder: Path, options: ReadOptions) -> list[Path] | None:
    """Return the tables that a folder's records are in, in order; None if it is another folder.

    Raises `BadInput` for a folder of `save_to_disk` that cannot be read.
    """
    if (folder / SPLITS).is_file():
        splits = read_small(folder / SPLITS).get("splits")
        if not isinstance(splits, list) or not all(is_file_name(split) for split in splits):
            raise BadInput(f"{folder / SPLITS} lists no splits: fetch or make it again")
        return not_empty(folder, [it for split in splits for it in saved_tables(folder / split)])
    if (folder / STATE).is_file():
        return not_empty(folder, saved_tables(folder))
    if any(folder.glob("*.tar")) or any(folder.glob("metadata.*")):
        return None
    tables = parquet_files(folder)
    return tables if tables and is_image_table(tables[0], options) else None


def not_empty(folder: Path, tables: list[Path]) -> list[Path]:
    """Return the tables of a folder. Raises `BadInput` if there is none."""
    if not tables:
        raise BadInput(f"{folder} holds no records")
    return tables


def saved_tables(folder: Path) -> list[Path]:
    """Return the Arrow files that `save_to_disk` wrote into a folder, none for an empty split.

    Raises `BadInput`.
    """
    state = read_small(folder / STATE)
    if state.get("_indices_data_files"):
        raise BadInput(
            f"{folder} holds a selection of rows (indices): load it in Python, call"
            " dataset.flatten_indices(), and save it again"
        )
    files = state.get("_data_files")
    names = [file.get("filename") if isinstance(file, dict) else None for file in files or []]
    if files is None or not all(is_file_name(name) for name in names):
        raise BadInput(f"{folder / STATE} lists no files: fetch or make it again")
    return [folder / str(name) for name in names]


def is_file_name(name: Any) -> bool:
    """Return True for the name of a file or folder in the folder that lists it."""
    return isinstance(name, str) and name not in ("", ".", "..") and "/" not in name


def read_small(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file. Raises `BadInput`."""
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(LARGEST_STATE))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict):
        raise BadInput(f"{path} is no JSON object: fetch or make it again")
    return value


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files in a folder and a little below it, by name; none that are hidden."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(
            name for name in folders if depth < SEARCH_DEPTH and not name.startswith((".", "_"))
        )
        found += (
            Path(parent, name)
            for name in sorted(names)
            if name.lower().endswith(".parquet")
            and name.lower() != METADATA
            and not name.startswith((".", "_"))
        )
    return found


def is_image_table(path: Path, options: ReadOptions) -> bool:
    """Return True if a Parquet file has a column of images or of their paths.

    That of img2dataset, beside the images that it has fetched, has none. Raises `BadInput`.
    """
    schema = open_table_file(path).schema
    if options.image_column is not None:
        return options.image_column in schema.names
    return bool(image_columns(schema)) or find_name(schema.names, IMAGE_COLUMNS) is not None


def read_table_folder(
    folder: Path, tables: list[Path], root: Path, options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of the tables of a folder, and count what else could hold some.

    Raises `BadInput`.
    """
    named = NamedImages()
    names = [image_path(table, root) for table in tables]
    for batch in read_tables(tables, names, options, report):
        named.add(os.path.join(root.absolute(), image) for image in batch.images)  # noqa: PTH118
        yield batch
    named.sort()
    read = set(map(str, tables))
    for files in walk_folder(folder, InputReport(skip_bad=True)):
        for name in files.names:
            path = os.path.join(files.folder, name)  # noqa: PTH118
            is_table = suffix_of(name) == ".parquet" and path not in read
            is_unnamed = is_image(name) and os.path.abspath(path) not in named  # noqa: PTH100
            if is_table or is_unnamed or is_tar(name):
                advice = "give them as separate inputs"
                report.pass_over(BESIDE_TABLES, path, advice)


def read_tables(
    tables: list[Path], names: list[str], options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of several tables; `names` are their paths as records name them.

    Tables that the names of the others promise are counted if they are not there. Raises
    `BadInput`; a table that cannot be read at all is a bad record.
    """
    for table, name in zip(tables, names, strict=True):
        try:
            yield from read_table(table, name, options, report)
        except BadRecord:
            raise
        except NoRecords:
            report.pass_over("tables without records", str(table))
        except BadInput as error:
            if not report.skip_bad:
                raise
            report.leave_out(BadRecord(f"{error}: all of it is left out"))
    missing = missing_tables(tables)
    if missing:
        report.pass_over(
            "tables that are not there", missing[0], "fetch the data set again", count=len(missing)
        )


def missing_tables(tables: list[Path]) -> list[str]:
    """Return the paths that tables called `NAME-00000-of-00002` lack to be whole."""
    there = {str(table) for table in tables}
    missing: dict[str, None] = {}
    for table in tables:
        match = NUMBERED.fullmatch(table.name)
        for number in range(int(match["count"]) if match else 0):
            name = f"{match['name']}{number:05}-of-{match['count']}{match['end']}" if match else ""
            if str(table.with_name(name)) not in there:
                missing[str(table.with_name(name))] = None
    return list(missing)
