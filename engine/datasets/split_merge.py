"""Splitting and merging of plain caption files, as upstream's json_process does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import BinaryIO, NamedTuple

from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource, is_array, read_input
from engine.datasets.merging import COPY_BYTES, PROGRESS_BATCHES, check_output, min_jobs
from engine.datasets.sharding import even_sizes
from engine.process.pool import map_on_all_cores
from engine.project.protected_files import refuse_protected
from engine.utils.atomic_write import atomic_write
from engine.utils.errors import BadInput
from engine.utils.shared_counter import SharedCounter

BRACKET_BYTES = 4096
"""Bytes that are read at a time when an array's opening or closing bracket is looked for."""
PROGRESS_BYTES = 32 * COPY_BYTES
"""Bytes after which progress within a file is reported: as the above, a twentieth of a second's
work."""


def split(
    captions: InputSource,
    folder: Path,
    shards: int,
    progress: Callable[[int], None] = lambda records: None,
    report: InputReport | None = None,
) -> list[Path]:
    """Write `shards` JSON arrays of nearly equal size into `folder`, in input order.

    The parts are `partition_0.json`, ..., zero-padded, and nothing else. `progress` is called with
    the number of records read; `report` takes what else is seen. Returns the paths of the parts.
    Raises `BadInput`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not an empty folder: name a new one")
    if not folder.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {folder.absolute().parent}")
    refuse_protected(folder)
    with atomic_write(folder) as part, TemporaryFile(dir=folder.absolute().parent) as spool:
        part.mkdir()
        count = 0
        for batch in read_input(captions, report):
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
                write_array(file, islice(spool, size))
    return [folder / name for name in names]


def write_array(file: BinaryIO, lines: Iterator[bytes]) -> None:
    """Write a JSON array of values, each of which is given as a line with its line break."""
    separator = b"[\n"
    while chunk := b"".join(islice(lines, 4096)):
        file.write(separator + chunk[:-1].replace(b"\n", b",\n"))
        separator = b",\n"
    file.write(b"\n]\n")


def merge(
    captions: Sequence[InputSource],
    out: Path,
    reading: Callable[[int], None] = lambda records: None,
    writing: Callable[[int], None] = lambda records: None,
    force: bool = False,
    report: InputReport | None = None,
) -> int:
    """Write the records of all files as one JSON array, in order, and return their number.

    A file that is there is replaced only if `force` is True, and an input never.

    JSON arrays are checked on all cores, then their bytes are copied. `reading` and `writing` are
    called with the number of records that are read or written; `report` takes what else is seen.
    Raises `BadInput`.
    """
    report = InputReport() if report is None else report
    check_output(out, captions)
    count = 0
    with (
        atomic_write(out, force) as part,
        part.open("wb") as file,
        NamedTemporaryFile() as counts,
    ):
        records_read = SharedCounter(Path(counts.name), reading)
        jobs = [
            MergeJob(source, number, records_read, report.skip_bad)
            for number, source in enumerate(captions)
        ]
        checked = map_on_all_cores(check_array, jobs, min_jobs(captions), records_read.report_total)
        with closing(checked) as bodies:
            for job, body in zip(jobs, bodies, strict=True):
                file.write(b",\n" if count else b"[\n")
                if body is None:
                    copied = copy_records(job, file, report)
                else:
                    report.add_counts(body.count, body.captioned)
                    copied = copy_array(job, body, file)
                for of_file in copied:
                    writing(count + of_file)
                count += of_file
        file.write(b"\n]\n")
    return count


class MergeJob(NamedTuple):
    """One file to be merged."""

    source: InputSource
    number: int
    """The file's 0-based number, under which `records_read` counts its records."""
    records_read: SharedCounter
    skip_bad: bool
    """True if records that cannot be read are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayBody:
    """The bytes between the brackets of a JSON array of `count` good records."""

    count: int
    captioned: int
    """The number of records with a caption."""
    start: int
    """The offset behind the opening bracket."""
    end: int
    """The offset of the closing bracket."""
    mtime_ns: int
    """When the file was changed last, so that no other bytes are copied than were checked."""


def check_array(job: MergeJob) -> ArrayBody | None:
    """Read a whole JSON array. Returns None for a file whose bytes are not to be copied.

    That is one of another format, of which nothing is read, or an array that holds anything but
    plain records. Raises `BadInput`.
    """
    path = job.source.path
    if not is_array(path):
        return None
    mtime_ns = path.stat().st_mtime_ns
    report = InputReport(skip_bad=job.skip_bad)
    count = 0
    for number, batch in enumerate(read_input(job.source, report), start=1):
        count += len(batch)
        if not report.keeps_bytes:
            return None
        if number % PROGRESS_BATCHES == 0:
            job.records_read.set_count(job.number, count)
    job.records_read.set_count(job.number, count)
    if not report.keeps_bytes:
        return None
    with path.open("rb") as file:
        start = file.read(BRACKET_BYTES).index(b"[") + 1
        size = file.seek(0, os.SEEK_END)
        end = size
        while True:  # only blanks follow the bracket
            end = max(start, end - BRACKET_BYTES)
            file.seek(end)
            if (bracket := file.read(BRACKET_BYTES).rfind(b"]")) >= 0:
                return ArrayBody(
                    count=count,
                    captioned=report.captioned,
                    start=start,
                    end=end + bracket,
                    mtime_ns=mtime_ns,
                )


def copy_array(job: MergeJob, body: ArrayBody, out: BinaryIO) -> Iterator[int]:
    """Copy the bytes of an array's records, and yield now and then how many records are written.

    The number is estimated by the bytes, and exact at the end. Raises `BadInput`.
    """
    path = job.source.path
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mtime_ns != body.mtime_ns:
            raise BadInput(f"{path} was changed while it was read: merge again")
        file.seek(body.start)
        size = left = body.end - body.start
        while left:
            data = file.read(min(left, COPY_BYTES))
            out.write(data)
            left -= len(data)
            if left // PROGRESS_BYTES < (left + len(data)) // PROGRESS_BYTES:
                job.records_read.report_total()  # of the files that others read meanwhile
                yield body.count * (size - left) // size
    yield body.count


def copy_records(job: MergeJob, out: BinaryIO, report: InputReport) -> Iterator[int]:
    """Copy a file that is no plain array, record by record, and yield how many are written.

    Raises `BadInput`.
    """
    count = 0
    for number, batch in enumerate(read_input(job.source, report)):
        out.write(b",\n" * (number > 0) + batch.text)
        count += len(batch)
        if number % PROGRESS_BATCHES == 0:
            job.records_read.set_count(job.number, count)
            yield count
    job.records_read.set_count(job.number, count)
    yield count
