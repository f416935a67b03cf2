"""Caption files with other image paths: merged, or only looked at, without a project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import NamedTuple

from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.datasets.merging import COPY_BYTES, PROGRESS_BATCHES, check_output, min_jobs
from engine.datasets.path_counts import PathCounts
from engine.datasets.path_rules import PathRules, rewrite_batch
from engine.images.image import ImagePaths
from engine.process.pool import map_on_all_cores
from engine.utils.atomic_write import atomic_write
from engine.utils.errors import BadInput
from engine.utils.shared_counter import SharedCounter


class RewriteJob(NamedTuple):
    """One file whose records are written with new paths, looked for, or both."""

    source: InputSource
    number: int
    """The file's 0-based number, under which `records_read` counts its records."""
    records_read: SharedCounter
    rules: PathRules
    check: bool
    """True if the images are looked for."""
    out: Path | None
    """Where the records go, with commas between them; None writes nothing."""
    skip_bad: bool


def rewrite_file(job: RewriteJob) -> tuple[InputReport, PathCounts]:
    """Read a file, and do with its records what the job says. Raises `BadInput`, `OSError`."""
    report, counts = InputReport(skip_bad=job.skip_bad), PathCounts()
    paths = ImagePaths(str(job.source.root), allow_outside=True)
    out = None if job.out is None else job.out.open("wb")
    try:
        for number, batch in enumerate(read_input(job.source, report)):
            if out is not None:
                text, changed = rewrite_batch(batch, job.rules)
                out.write(b",\n" * (number > 0) + text)
                counts.changed += changed
            if job.check:
                counts.look_for(paths, list(map(job.rules.map, batch.images)))
            if number % PROGRESS_BATCHES == 0:
                job.records_read.set_count(job.number, report.records)
    finally:
        if out is not None:
            out.close()
    job.records_read.set_count(job.number, report.records)
    return report, counts


def rewrite_files(
    sources: Sequence[InputSource],
    rules: PathRules,
    check: bool,
    skip_bad: bool,
    reading: Callable[[int], None],
    folder: Path | None,
) -> Iterator[tuple[Path | None, InputReport, PathCounts]]:
    """Do `rewrite_file` for all files, on all cores, and yield the results in order.

    The records go into files in `folder`, if there is one; the path of each is yielded with it.
    """
    with NamedTemporaryFile() as counts:
        counter = SharedCounter(Path(counts.name), reading)
        jobs = [
            RewriteJob(
                source=source,
                number=number,
                records_read=counter,
                rules=rules,
                check=check,
                out=None if folder is None else folder / str(number),
                skip_bad=skip_bad,
            )
            for number, source in enumerate(sources)
        ]
        results = map_on_all_cores(rewrite_file, jobs, min_jobs(sources), counter.report_total)
        with closing(results):
            for job, (report, found) in zip(jobs, results, strict=True):
                yield job.out, report, found


def merge_rewritten(
    sources: Sequence[InputSource],
    out: Path,
    rules: PathRules,
    check: bool = False,
    report: InputReport | None = None,
    reading: Callable[[int], None] = lambda records: None,
    writing: Callable[[int], None] = lambda records: None,
    force: bool = False,
) -> PathCounts:
    """Write the records of all files with new image paths as one JSON array, in order.

    With `check` the images are looked for, relative paths below the root of their source; if there
    is none of them, nothing is written. `report` takes what else is seen, the number of records
    among it; `reading` and `writing` get the number of records read or written. Raises `BadInput`.
    """
    check_output(out, sources)
    report, total = InputReport() if report is None else report, PathCounts()
    with (
        atomic_write(out, force) as part,
        part.open("wb") as file,
        TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as name,
    ):
        files = rewrite_files(sources, rules, check, report.skip_bad, reading, Path(name))
        start = b"[\n"
        for path, of_file, found in files:
            if path is not None and of_file.records:
                file.write(start)
                start = b",\n"
                with path.open("rb") as records:
                    copyfileobj(records, file, COPY_BYTES)
                path.unlink()
            report.add(of_file)
            total.add(found)
            writing(report.records)
        file.write(b"\n]\n" if report.records else b"[]\n")
        refuse_none(total)
    return total


def check_paths(
    sources: Sequence[InputSource],
    rules: PathRules,
    report: InputReport,
    reading: Callable[[int], None] = lambda records: None,
) -> PathCounts:
    """Look for all images by their new paths. Raises `BadInput`, also if there is none of them."""
    total = PathCounts()
    for _, of_file, found in rewrite_files(sources, rules, True, report.skip_bad, reading, None):
        report.add(of_file)
        total.add(found)
    refuse_none(total)
    return total


def refuse_none(check: PathCounts) -> None:
    """Raise `BadInput` if none of the images that were looked for exists."""
    if check.images and check.missing == check.images:
        raise BadInput(f"{check.check_text()}: give --path-map OLD=NEW or --image-root DIR")
