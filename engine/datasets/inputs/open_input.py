"""Any input, by what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.inputs.batch import Batch
from engine.datasets.inputs.byte_stream import BYTE_ORDER_MARK
from engine.datasets.inputs.folders import read_folder, read_tar
from engine.datasets.inputs.json_reader import BLANKS, read_batches
from engine.datasets.inputs.skipped import Skipped
from engine.datasets.inputs.tables import read_csv, read_parquet
from engine.utils.errors import BadInput

COMPRESSED = {".gz", ".zst"}
TABLES = {".csv", ".tsv", ".tab"}
PACKED_TARS = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Input:
    """`root` is the image root, to which the paths of images found in folders are relative."""

    path: Path
    root: Path
    image_column: str | None = None
    caption_column: str | None = None
    skipped: Skipped | None = None
    """Takes what cannot be read; None makes it an error."""


def read_input(source: Input) -> Iterator[Batch]:
    """The records in order. Raises `BadInput` with the position.

    Told by the name: .csv, .tsv, .parquet, .tar, a folder; anything else must be JSON.
    """
    path = source.path
    columns = source.image_column, source.caption_column
    kind = kind_of(path)
    if path.is_dir():
        return read_folder(path, source.root, *columns)
    if path.name.lower().endswith(PACKED_TARS):
        raise BadInput(f"{path} is a compressed tar, whose members have no place: unpack it first")
    if kind == ".tar":
        return read_tar(path, source.root)
    if kind == ".parquet":
        return read_parquet(path, *columns, source.skipped)
    if kind in TABLES:
        return read_csv(path, *columns, source.skipped)
    return read_batches(path, source.skipped)


def kind_of(path: Path) -> str:
    """The suffix, in lower case, that of a compression apart."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_array(path: Path) -> bool:
    """Whether this is a JSON array that is not compressed. Raises `BadInput`."""
    if path.is_dir() or kind_of(path) in {*TABLES, ".parquet", ".tar"}:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(4096).removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    return head.lstrip(BLANKS).startswith(b"[")
