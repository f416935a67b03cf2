"""Upstream's json_process on plain files: cut a caption file into parts, join parts again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from engine.datasets.atomic import whole
from engine.datasets.batch import Batch
from engine.datasets.inputs import Input, read_input
from engine.datasets.splitting import even_sizes
from engine.errors import BadInput


def split(
    captions: Input, folder: Path, shards: int, progress: Callable[[int], None] = lambda count: None
) -> list[Path]:
    """Writes `shards` JSON arrays of nearly equal size into `folder`, in input order.

    The parts are `partition_0.json`, ..., zero-padded, and nothing else. Raises `BadInput`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not an empty folder: name a new one")
    if not folder.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {folder.absolute().parent}")
    with whole(folder) as part, TemporaryFile(dir=folder.absolute().parent) as spool:
        part.mkdir()
        count = 0
        for batch in read_input(captions):
            spool.write(b"\n".join(batch.lines) + b"\n")
            count += len(batch)
            progress(count)
        if shards > count:
            raise BadInput(f"{shards} parts are more than the {count:,} records")
        spool.seek(0)
        width = max(2, len(str(shards - 1)))
        names = [f"partition_{number:0{width}}.json" for number in range(shards)]
        for name, size in zip(names, even_sizes(count, shards), strict=True):
            with (part / name).open("wb") as file:
                write_lines(file, islice(spool, size))
    return [folder / name for name in names]


def write_lines(file: BinaryIO, lines: Iterator[bytes]) -> None:
    """A JSON array of values that end with their lines."""
    separator = b"[\n"
    while chunk := b"".join(islice(lines, 4096)):
        file.write(separator + chunk[:-1].replace(b"\n", b",\n"))
        separator = b",\n"
    file.write(b"\n]\n")


def merge(
    captions: Sequence[Input], out: Path, progress: Callable[[int], None] = lambda count: None
) -> int:
    """Writes the records of all files as one JSON array, in order; returns how many.

    Raises `BadInput`.
    """
    if out.is_dir():
        raise BadInput(f"{out} is a folder: name a file")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {out.absolute().parent}")
    with whole(out) as part, part.open("wb") as file:
        batches = (batch for source in captions for batch in read_input(source))
        return write_array(file, counted(batches, progress, 0))


def counted(
    batches: Iterable[Batch], progress: Callable[[int], None], done: int
) -> Iterator[Batch]:
    for batch in batches:
        done += len(batch)
        progress(done)
        yield batch


def write_array(file: BinaryIO, batches: Iterable[Batch]) -> int:
    count = 0
    for batch in batches:
        file.write(b",\n" if count else b"[\n")
        file.write(batch.text)
        count += len(batch)
    file.write(b"\n]\n" if count else b"[]\n")
    return count
