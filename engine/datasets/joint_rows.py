"""Images with their captions, read back from a project or from what `export` wrote.

Millions of rows are held as one block of bytes, not as Python objects, so that the processes of a
data loader share it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.datasets.argument_names import naming_arguments
from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.first_pass import FirstPass, judge_captions
from engine.datasets.exports.shard_captions import (
    CaptionFilter,
    ExportSource,
    read_shard_captions,
)
from engine.datasets.exports.source import open_export_source
from engine.datasets.exports.verdicts import drop_left_out
from engine.datasets.exports.writers.base import ORIGINAL
from engine.datasets.inputs.json_reader import read_records
from engine.images.image import ImagePaths, ImageProblem
from engine.project.damage import Damage, DamagedFiles
from engine.project.image_paths import image_paths_of
from engine.project.layout import Project
from engine.project.opening import open_project
from engine.quality.quality_filter import QualityFilter
from engine.utils import jsonlines
from engine.utils.errors import BadInput

NOT_CAPTIONS = {"image", "uid", "captions", "provenance"}
"""The keys of a row of the `columns` format that hold no caption by a name of their own."""
READ_BYTES = 1 << 24
"""Bytes that are read at a time."""

Encoded = tuple[int, bytes]
"""The index of a caption's name, and the caption as JSON."""


class Row(NamedTuple):
    """One image with its captions."""

    image: str
    """The path."""
    names: list[str]
    """Who each caption is by: "original", or the name of a model or file."""
    captions: list[str]


class PackedRows:
    """A sequence of `Row`s, each a line of JSON in `block`: an object of the `columns` format, or
    a list of the image and, for each caption, the index of its name and its text."""

    def __init__(
        self, block: NDArray[np.uint8], ends: NDArray[np.int64], names: Sequence[str]
    ) -> None:
        """`block` has the shape (bytes,), `ends` (rows,): the offsets at which the rows end."""
        self.block = block
        self.ends = ends
        self.names = names
        """The names that captions may have."""
        self.left_out: dict[str, int] = {}
        """How many captions filters by quality left out, by reason."""

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Row:
        start = int(self.ends[index - 1]) if index else 0
        row = jsonlines.loads(self.block[start : self.ends[index]].tobytes())
        if isinstance(row, list):
            return Row(row[0], [self.names[i] for i in row[1::2]], row[2::2])
        names = [name for name in row if name in self.names and row[name]]
        return Row(row["image"], names, [row[name] for name in names])


def pack_rows(rows: Iterable[tuple[str, list[Encoded]]], names: Sequence[str]) -> PackedRows:
    """Return rows of an image path and its captions in one block."""
    block, ends = bytearray(), []
    for image, captions in rows:
        values = [b"%d,%b" % caption for caption in captions]
        block += b"[%b]" % b",".join([jsonlines.dumps(image), *values])
        ends.append(len(block))
    return PackedRows(np.frombuffer(bytes(block), np.uint8), np.array(ends, np.int64), names)


def read_rows(
    sources: Sequence[Path], caption_filter: CaptionFilter, quality: QualityFilter
) -> PackedRows:
    """Read a project folder, one `columns` file, or files of {"image", "caption"} side by side.

    A folder that is no project stands for the .json files in it (`per-model`). What the filters
    leave out is known of a project alone. Raises `BadInput`.
    """
    if len(sources) == 1 and (sources[0] / "project.db").is_file():
        return read_project(open_project(sources[0]), caption_filter, quality)
    if quality:
        raise BadInput(
            "filters by quality need the project: name it, or export it with the same filters"
            f" ({' '.join(quality.arguments())})"
        )
    for option in ("without_flagged", "only_flagged", "keep_unreadable"):
        if getattr(caption_filter, option):
            raise BadInput(
                f"{option} needs the project: an export does not say which records those are"
            )
    files = [file for source in sources for file in caption_files(source)]
    if len(files) == 1 and is_columns(files[0]):
        return map_columns_file(files[0])
    captions: dict[str, list[Encoded]] = {}
    for number, file in enumerate(files):
        for record in read_records(file):
            if record.caption:
                encoded = number, jsonlines.dumps(record.caption)
                captions.setdefault(record.image, []).append(encoded)
    return pack_rows(captions.items(), [file.stem for file in files])


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
    """Return the rows of a `columns` file, which is mapped into memory and not read.

    Raises `BadInput`.
    """
    block: Any = np.memmap(path, np.uint8, "r")
    ends = [
        np.flatnonzero(block[start : start + READ_BYTES] == ord("\n")) + start + 1
        for start in range(0, len(block), READ_BYTES)
    ]
    first = jsonlines.loads(block[: ends[0][0]].tobytes())
    names = [
        name
        for name, value in first.items()
        if name not in NOT_CAPTIONS and not isinstance(value, dict)  # as those of quality are
    ]
    if not names:
        raise BadInput(f"{path} has no key with the captions of a model")
    return PackedRows(block, np.concatenate(ends).astype(np.int64), names)


def read_project(
    project: Project, caption_filter: CaptionFilter, quality: QualityFilter
) -> PackedRows:
    """Return the captions of a project. Raises `BadInput`."""
    source = open_export_source(project)
    names = [ORIGINAL] * caption_filter.with_originals + [model.name for model in source.models]
    if not quality:
        return pack_rows(project_rows(source, caption_filter, None), names)
    # In this process: one of a pool would run a training script once more from its beginning.
    with naming_arguments():
        first_pass = judge_captions(source, caption_filter, quality, min_jobs=sys.maxsize)
    rows = pack_rows(project_rows(source, caption_filter, first_pass), names)
    rows.left_out = first_pass.counts.left_out_by_reason()
    return rows


def project_rows(
    source: ExportSource, caption_filter: CaptionFilter, first_pass: FirstPass | None
) -> Iterator[tuple[str, list[Encoded]]]:
    """Yield the project's captions as they are now, whether it is finished or not.

    Raises `BadInput` at the end if files are damaged.
    """
    damage: list[Damage] = []
    paths = image_paths_of(source.project, source.settings)
    for shard in source.shards:
        counts = ExportCounts()
        captions_of_shard = read_shard_captions(source, shard, caption_filter, counts)
        damage += counts.damage
        columns = [captions_of_shard.originals] * caption_filter.with_originals
        columns += captions_of_shard.columns
        if first_pass is not None:
            drop_left_out(first_pass.of_shard(shard), columns, counts)
        for image, *encoded in zip(captions_of_shard.images, *columns, strict=True):
            captions = [each for each in enumerate(encoded) if each[1] is not None]
            if captions:
                yield resolve_image(paths, image), captions
    if damage:
        folder = source.project.folder
        raise BadInput(f"{DamagedFiles(damage)}: 'mllmaug-tui verify {folder}' says more")


def resolve_image(paths: ImagePaths, image: str) -> str:
    """Return the path of an image, or the image as the input names it if it has no path."""
    try:
        return paths.resolve(image)
    except ImageProblem:
        return image
