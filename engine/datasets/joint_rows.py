"""Images with their captions, read back from a project or from what `export` wrote.

Millions of rows are held as one block of bytes, not as Python objects, so that the processes of a
data loader share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets.exports.shard_captions import (
    CaptionFilter,
    ExportCounts,
    read_shard_captions,
)
from engine.datasets.exports.source import open_export_source
from engine.datasets.inputs.json_reader import read_records
from engine.images.image import ImagePaths, ImageProblem
from engine.project.damage import Damage, DamagedFiles
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.utils import jsonlines
from engine.utils.errors import BadInput

NOT_CAPTIONS = {"image", "provenance"}
"""The keys of a row of the `columns` format that hold no caption."""
READ_BYTES = 1 << 24
"""Bytes that are read at a time."""


class PackedRows:
    """A sequence of (image path, captions), each row a line of JSON in `block`."""

    def __init__(self, block: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """`block` has the shape (bytes,), `ends` (rows,): the offsets at which the rows end."""
        self.block = block
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> tuple[str, list[str]]:
        start = int(self.ends[index - 1]) if index else 0
        row = jsonlines.loads(self.block[start : self.ends[index]].tobytes())
        if isinstance(row, list):
            return row[0], row[1:]
        return row["image"], [
            text for name, text in row.items() if name not in NOT_CAPTIONS and text
        ]


def pack_rows(rows: Iterator[tuple[str, Sequence[str]]]) -> PackedRows:
    """Return (image path, captions) rows in one block."""
    block, ends = bytearray(), []
    for image, captions in rows:
        block += jsonlines.dumps([image, *captions])
        ends.append(len(block))
    return PackedRows(np.frombuffer(bytes(block), np.uint8), np.array(ends, np.int64))


def read_rows(
    sources: Sequence[Path], with_original: bool, without_flagged: bool = False
) -> PackedRows:
    """Read a project folder, one `columns` file, or files of {"image", "caption"} side by side.

    A folder that is no project stands for the .json files in it (`per-model`). Raises `BadInput`.
    """
    if len(sources) == 1 and (sources[0] / "project.db").is_file():
        caption_filter = CaptionFilter(
            with_originals=with_original, without_flagged=without_flagged
        )
        return pack_rows(project_rows(open_project(sources[0]), caption_filter))
    if without_flagged:
        raise BadInput("without_flagged needs the project: an export does not say what is flagged")
    files = [file for source in sources for file in caption_files(source)]
    if len(files) == 1 and is_columns(files[0]):
        return map_columns_file(files[0])
    captions: dict[str, list[str]] = {}
    for file in files:
        for record in read_records(file):
            if record.caption:
                captions.setdefault(record.image, []).append(record.caption)
    return pack_rows(iter(captions.items()))


def caption_files(source: Path) -> list[Path]:
    """Return a file itself, or the .json files of a folder, the originals first.

    Raises `BadInput`.
    """
    if not source.is_dir():
        return [source]
    files = sorted(source.glob("*.json"), key=lambda path: (path.stem != "original", path.name))
    if not files:
        raise BadInput(f"{source} holds no project and no .json files")
    return files


def is_columns(path: Path) -> bool:
    """Return True if the file is of the `columns` format, by its first line. Raises `BadInput`."""
    try:
        with path.open("rb") as file:
            row = jsonlines.loads(file.readline(READ_BYTES))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError:
        return False
    return isinstance(row, dict) and "image" in row and "caption" not in row


def map_columns_file(path: Path) -> PackedRows:
    """Return the rows of a `columns` file, which is mapped into memory and not read."""
    block: Any = np.memmap(path, np.uint8, "r")
    ends = [
        np.flatnonzero(block[start : start + READ_BYTES] == ord("\n")) + start + 1
        for start in range(0, len(block), READ_BYTES)
    ]
    return PackedRows(block, np.concatenate(ends).astype(np.int64))


def project_rows(
    project: Project, caption_filter: CaptionFilter
) -> Iterator[tuple[str, list[str]]]:
    """Yield the project's captions as they are now, whether it is finished or not.

    Raises `BadInput` at the end if files are damaged.
    """
    damage: list[Damage] = []
    source = open_export_source(project)
    paths = image_paths_of(project, source.settings)
    for shard in source.shards:
        counts = ExportCounts()
        captions_of_shard = read_shard_captions(source, shard, caption_filter, counts)
        damage += counts.damage
        columns = [captions_of_shard.originals] * caption_filter.with_originals
        columns += captions_of_shard.columns
        for image, *encoded in zip(captions_of_shard.images, *columns, strict=True):
            captions = [jsonlines.loads(caption) for caption in encoded if caption is not None]
            if captions:
                yield resolve_image(paths, image), captions
    if damage:
        raise BadInput(f"{DamagedFiles(damage)}: 'mllmaug-tui verify {project.folder}' says more")


def resolve_image(paths: ImagePaths, image: str) -> str:
    """Return the path of an image, or the image as the input names it if it has no path."""
    try:
        return paths.resolve(image)
    except ImageProblem:
        return image
