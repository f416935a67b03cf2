"""Caption files with other image paths: merged, or only looked at, without a project.

Only the paths change: every other byte of a JSON record stays as the input has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]  # of the standard library
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import NamedTuple

from engine.datasets.inputs.batch import RecordBatch
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.images.image import ImagePaths, image_exists, map_prefix
from engine.process.pool import map_on_all_cores
from engine.project.protected_files import refuse_protected
from engine.utils import jsonlines
from engine.utils.atomic_write import atomic_write
from engine.utils.errors import BadInput
from engine.utils.shared_counter import SharedCounter

PARALLEL_BYTES = 64 << 20
"""Bytes of input for which it is worth starting other processes."""
COPY_BYTES = 1 << 20
"""Bytes that are copied at a time."""
PROGRESS_BATCHES = 16
"""Batches of records after which progress within a file is reported."""
EXAMPLES = 3
"""Paths that are named of those where there is no file."""
KEYS = (b'"image": "', b'"image":"')
"""The key of the image and the quotation mark of its path, as json.dump and others write them."""
BLANKS = " \t\r\n"
"""The characters that JSON allows between values."""


@dataclass(frozen=True, slots=True)
class PathRules:
    """How image paths are turned into others."""

    path_map: tuple[tuple[str, str], ...] = ()
    """(old prefix, new prefix); the first old one that a path starts with is replaced."""
    image_root: str | None = None
    """Put before every path that is relative then; None puts nothing there."""

    def map(self, image: str) -> str:
        """Return the new path of an image."""
        mapped = map_prefix(image, self.path_map)
        image = image if mapped is None else mapped
        if self.image_root is None or image.startswith("/"):
            return image
        return str(PurePosixPath(self.image_root) / image)

    def replacement(self, images: Sequence[str]) -> tuple[str, str, int] | None:
        """Return one replacement of a prefix that stands for the rules on these images.

        That is the old prefix, the new one, and how many images have it. Returns None if the rules
        do more than that.
        """
        joined = "\n" + "\n".join(images)  # one look at all, which is the quicker way
        if self.image_root is None and len(self.path_map) == 1:
            old, new = self.path_map[0]
            return old, new, joined.count("\n" + old)
        is_plain = not any(odd in joined for odd in ("\n/", "//", "\n.", "/."))
        if self.image_root is not None and not self.path_map and is_plain:
            return "", str(PurePosixPath(self.image_root) / "_")[:-1], len(images)
        return None


@dataclass(slots=True)
class PathCheck:
    """The images that were looked for."""

    images: int = 0
    missing: int = 0
    """The number of images that do not exist."""
    examples: list[str] = field(default_factory=list)
    """The first of these."""

    def look_for(self, paths: ImagePaths, images: Sequence[str]) -> None:
        """Look for the files of images, or the members of tars."""
        missing = [image for image in images if not image_exists(paths, image)]
        self.add(PathCheck(len(images), len(missing), missing[:EXAMPLES]))

    def add(self, other: PathCheck) -> None:
        """Add the images of another file."""
        self.images += other.images
        self.missing += other.missing
        self.examples += other.examples[: EXAMPLES - len(self.examples)]

    def text(self) -> str:
        """Return what was found as a sentence."""
        present = self.images - self.missing
        share = 100 * present / self.images if self.images else 0
        such = f"; not there: {', '.join(self.examples)}" if self.examples else ""
        more = ", ..." if self.missing > len(self.examples) else ""
        return f"{present:,} of {self.images:,} images exist ({share:.4g} %){such}{more}"


def rewrite_batch(batch: RecordBatch, rules: PathRules) -> bytes:
    """Return the JSON of the records with their new paths, commas between them."""
    if not rules.path_map and rules.image_root is None:
        return batch.text
    replacement = rules.replacement(batch.images)
    if replacement is not None and batch.text.count(b'"image"') == len(batch):
        old, new, count = replacement
        old_text, new_text = (jsonlines.dumps(text)[1:-1] for text in (old, new))
        for key in KEYS:
            if batch.text.count(key + old_text) == count:
                return batch.text.replace(key + old_text, key + new_text)
    images = map(rules.map, batch.images)
    return b",\n".join(map(with_image, batch.lines, images))


def with_image(line: bytes, image: str) -> bytes:
    """Return the JSON of a record with another image path, and its other bytes as they are."""
    text = line.decode("utf-8", "surrogatepass")
    start, end = image_span(text)
    new = jsonlines.dumps(image).decode()
    return f"{text[:start]}{new}{text[end:]}".encode("utf-8", "surrogatepass")


def image_span(text: str) -> tuple[int, int]:
    """Return where the value of `image` begins and ends in the JSON of a record.

    Of several, the last one counts, as for all readers.
    """
    decoder = json.JSONDecoder()
    position, span = text.index("{") + 1, (0, 0)
    while text[position := skip(text, position, BLANKS + ",")] != "}":
        key, position = scanstring(text, position + 1, False)
        position = skip(text, position, BLANKS + ":")
        _, end = decoder.raw_decode(text, position)
        if key == "image":
            span = position, end
        position = end
    return span


def skip(text: str, position: int, characters: str) -> int:
    """Return the position of the next character that is none of these."""
    while text[position] in characters:
        position += 1
    return position


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


def rewrite_file(job: RewriteJob) -> tuple[InputReport, PathCheck]:
    """Read a file, and do with its records what the job says. Raises `BadInput`, `OSError`."""
    report, found = InputReport(skip_bad=job.skip_bad), PathCheck()
    paths = ImagePaths(str(job.source.root), allow_outside=True)
    out = None if job.out is None else job.out.open("wb")
    try:
        for number, batch in enumerate(read_input(job.source, report)):
            if out is not None:
                out.write(b",\n" * (number > 0) + rewrite_batch(batch, job.rules))
            if job.check:
                found.look_for(paths, list(map(job.rules.map, batch.images)))
            if number % PROGRESS_BATCHES == 0:
                job.records_read.set_count(job.number, report.records)
    finally:
        if out is not None:
            out.close()
    job.records_read.set_count(job.number, report.records)
    return report, found


def rewrite_files(
    sources: Sequence[InputSource],
    rules: PathRules,
    check: bool,
    skip_bad: bool,
    reading: Callable[[int], None],
    folder: Path | None,
) -> Iterator[tuple[Path | None, InputReport, PathCheck]]:
    """Do `rewrite_file` for all files, on all cores, and yield the results in order.

    The records go into files in `folder`, if there is one; the path of each is yielded with it.
    """
    size = sum(source.path.stat().st_size for source in sources if source.path.is_file())
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
        min_jobs = 2 if size > PARALLEL_BYTES else None
        results = map_on_all_cores(rewrite_file, jobs, min_jobs, counter.report_total)
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
) -> PathCheck:
    """Write the records of all files with new image paths as one JSON array, in order.

    With `check` the images are looked for, relative paths below the root of their source; if there
    is none of them, nothing is written. `report` takes what else is seen, the number of records
    among it; `reading` and `writing` get the number of records read or written. Raises `BadInput`.
    """
    if out.is_dir():
        raise BadInput(f"{out} is a folder: name a file")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise BadInput(f"there is no folder {parent}")
    refuse_protected(out, [source.path for source in sources])
    report, total = InputReport() if report is None else report, PathCheck()
    with (
        atomic_write(out, force) as part,
        part.open("wb") as file,
        TemporaryDirectory(prefix=f".{out.name}.", dir=parent) as name,
    ):
        files = rewrite_files(sources, rules, check, report.skip_bad, reading, Path(name))
        for path, of_file, found in files:
            if path is not None:
                file.write((b",\n" if report.records else b"[\n") if of_file.records else b"")
                with path.open("rb") as records:
                    copyfileobj(records, file, COPY_BYTES)
                path.unlink()
            report.add(of_file)
            total.add(found)
            writing(report.records)
        file.write(b"\n]\n")
        refuse_none(total)
    return total


def check_paths(
    sources: Sequence[InputSource],
    rules: PathRules,
    report: InputReport,
    reading: Callable[[int], None] = lambda records: None,
) -> PathCheck:
    """Look for all images by their new paths. Raises `BadInput`, also if there is none of them."""
    total = PathCheck()
    for _, of_file, found in rewrite_files(sources, rules, True, report.skip_bad, reading, None):
        report.add(of_file)
        total.add(found)
    refuse_none(total)
    return total


def refuse_none(check: PathCheck) -> None:
    """Raise `BadInput` if none of the images that were looked for exists."""
    if check.images and check.missing == check.images:
        raise BadInput(f"{check.text()}: give --path-map OLD=NEW or --image-root DIR")
