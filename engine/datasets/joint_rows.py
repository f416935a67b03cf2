"""Images with their captions, read back: from a project or from what `export` wrote.

Millions of rows are held as one block of bytes, not as Python objects, so that the processes of a
data loader share it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.datasets.exports.shard_captions import CaptionFilter, Tally, read_columns
from engine.datasets.exports.source import open_source
from engine.datasets.inputs.json_reader import read_records
from engine.images.image import ImagePaths, ImageProblem
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.utils import jsonlines
from engine.utils.errors import BadInput

NO_CAPTIONS = {"image", "provenance"}
READ_BYTES = 1 << 24


class Rows:
    """A sequence of (image path, captions), each row a line of JSON in `block`."""

    def __init__(self, block: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
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
            text for name, text in row.items() if name not in NO_CAPTIONS and text
        ]


def packed(rows: Iterator[tuple[str, Sequence[str]]]) -> Rows:
    block, ends = bytearray(), []
    for image, captions in rows:
        block += jsonlines.dumps([image, *captions])
        ends.append(len(block))
    return Rows(np.frombuffer(bytes(block), np.uint8), np.array(ends, np.int64))


def read_rows(sources: Sequence[Path], with_original: bool, without_flagged: bool = False) -> Rows:
    """Of a project folder, one `columns` file, or files of {"image", "caption"} side by side.

    A folder that is no project stands for the .json files in it (`per-model`). Raises `BadInput`.
    """
    if len(sources) == 1 and (sources[0] / "project.db").is_file():
        wanted = CaptionFilter(originals=with_original, without_flagged=without_flagged)
        return packed(project_rows(open_project(sources[0]), wanted))
    if without_flagged:
        raise BadInput("without_flagged needs the project: an export does not say what is flagged")
    files = [file for source in sources for file in files_of(source)]
    if len(files) == 1 and is_columns(files[0]):
        return mapped(files[0])
    captions: dict[str, list[str]] = {}
    for file in files:
        for record in read_records(file):
            if record.caption:
                captions.setdefault(record.image, []).append(record.caption)
    return packed(iter(captions.items()))


def files_of(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    found = sorted(source.glob("*.json"), key=lambda path: (path.stem != "original", path.name))
    if not found:
        raise BadInput(f"{source} holds no project and no .json files")
    return found


def is_columns(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            row = jsonlines.loads(file.readline(READ_BYTES))
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError:
        return False
    return isinstance(row, dict) and "image" in row and "caption" not in row


def mapped(path: Path) -> Rows:
    """The file itself, mapped into memory."""
    block: Any = np.memmap(path, np.uint8, "r")
    ends = [
        np.flatnonzero(block[start : start + READ_BYTES] == ord("\n")) + start + 1
        for start in range(0, len(block), READ_BYTES)
    ]
    return Rows(block, np.concatenate(ends).astype(np.int64))


def project_rows(project: Project, wanted: CaptionFilter) -> Iterator[tuple[str, list[str]]]:
    """As the project's captions are now, whether it is finished or not."""
    source = open_source(project)
    settings = source.settings
    paths = ImagePaths(str(project.image_root(settings)), settings.path_map, settings.allow_outside)
    for shard in source.shards:
        part = read_columns(source, shard, wanted, Tally())
        columns = [part.originals] * wanted.originals + part.columns
        for image, *encoded in zip(part.images, *columns, strict=True):
            captions = [jsonlines.loads(caption) for caption in encoded if caption is not None]
            if captions:
                yield resolved(paths, image), captions


def resolved(paths: ImagePaths, image: str) -> str:
    try:
        return paths.resolve(image)
    except ImageProblem:
        return image
