"""Upstream's json_process on plain files: cut a caption file into parts, join parts again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import BinaryIO, NamedTuple

from engine.datasets.inputs.open_input import Input, is_array, read_input
from engine.datasets.sharding import even_sizes
from engine.process.pool import on_all_cores
from engine.utils.atomic_write import whole
from engine.utils.errors import BadInput
from engine.utils.shared_counter import Tally

LARGE = 64 << 20
"""Bytes of input that are worth starting other processes for."""
HEAD = 4096
COPY_BYTES = 1 << 20
TOLD_BATCHES = 16
TOLD_BYTES = 32 * COPY_BYTES
"""After which progress within a file is told: a twentieth of a second's work."""


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
    captions: Sequence[Input],
    out: Path,
    reading: Callable[[int], None] = lambda count: None,
    writing: Callable[[int], None] = lambda count: None,
) -> int:
    """Writes the records of all files as one JSON array, in order; returns how many.

    JSON arrays are checked on all cores, then their bytes are copied. `reading` and `writing` hear
    how many records are that far. Raises `BadInput`.
    """
    if out.is_dir():
        raise BadInput(f"{out} is a folder: name a file")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {out.absolute().parent}")
    count = 0
    large = sum(it.path.stat().st_size for it in captions if it.path.is_file()) > LARGE
    with (
        whole(out) as part,
        part.open("wb") as file,
        NamedTemporaryFile() as counts,
    ):
        tally = Tally(Path(counts.name), reading)
        jobs = [Job(source, place, tally) for place, source in enumerate(captions)]
        few = 2 if large else None
        with closing(on_all_cores(examine, jobs, few, tally.tell)) as examined:
            for job, body in zip(jobs, examined, strict=True):
                file.write(b",\n" if count else b"[\n")
                copied = join(job, file) if body is None else copy(job, body, file)
                for there in copied:
                    writing(count + there)
                count += there
        file.write(b"\n]\n")
    return count


class Job(NamedTuple):
    """One file to be merged; `place` is its own in the tally of records read."""

    source: Input
    place: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class Body:
    """What stands between the brackets of a JSON array of `count` good records, in bytes."""

    count: int
    start: int
    end: int
    changed: int
    """When, so that nothing else is copied than what was looked at."""


def examine(job: Job) -> Body | None:
    """None for what is no plain array. Raises `BadInput`."""
    path = job.source.path
    if not is_array(path):
        return None
    changed = path.stat().st_mtime_ns
    count = 0
    for number, batch in enumerate(read_input(job.source), start=1):
        count += len(batch)
        if number % TOLD_BATCHES == 0:
            job.tally.put(job.place, count)
    job.tally.put(job.place, count)
    with path.open("rb") as file:
        start = file.read(HEAD).index(b"[") + 1
        size = file.seek(0, os.SEEK_END)
        end = size
        while True:  # only blanks follow the bracket
            end = max(start, end - HEAD)
            file.seek(end)
            if (at := file.read(HEAD).rfind(b"]")) >= 0:
                return Body(count, start, end + at, changed)


def copy(job: Job, body: Body, out: BinaryIO) -> Iterator[int]:
    """Yields how many records are written, by the bytes; at the end exactly. Raises `BadInput`."""
    path = job.source.path
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mtime_ns != body.changed:
            raise BadInput(f"{path} was changed while it was read: merge again")
        file.seek(body.start)
        size = left = body.end - body.start
        while left:
            data = file.read(min(left, COPY_BYTES))
            out.write(data)
            left -= len(data)
            if left // TOLD_BYTES < (left + len(data)) // TOLD_BYTES:
                job.tally.tell()  # of the files that others read meanwhile
                yield body.count * (size - left) // size
    yield body.count


def join(job: Job, out: BinaryIO) -> Iterator[int]:
    """What is no plain array, record by record; yields how many are written. Raises `BadInput`."""
    count = 0
    for number, batch in enumerate(read_input(job.source)):
        out.write(b",\n" * (number > 0) + batch.text)
        count += len(batch)
        if number % TOLD_BATCHES == 0:
            job.tally.put(job.place, count)
            yield count
    job.tally.put(job.place, count)
    yield count
