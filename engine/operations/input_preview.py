"""A preview of a caption file, before a project is made of it. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from engine.datasets.inputs.batch import Record
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.datasets.inputs.read_options import ReadOptions
from engine.images.image import ImagePaths, ImageProblem, image_exists
from engine.operations.input_total import estimate_total
from engine.operations.new_project import default_root, refuse_occupied
from engine.project.layout import Project

PREVIEW_RECORDS = 100
"""The number of records that a preview shows."""
COUNTED_BYTES = 32 * 2**20
"""A file of so many bytes at most is read to its end, so that its records are counted and not
estimated: that takes a second at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPreview:
    """The first records of an input, and how many there are in all."""

    records: tuple[Record, ...]
    """The first records."""
    total: int
    """The number of all records: an estimate, unless `whole`."""
    whole: bool
    """True if the input was read to its end."""
    images_present: int
    """The number of images of `records` that exist."""
    paths: ImagePaths
    leaving: int = 0
    """The number of images of `records` that lie outside the image root, links followed."""
    leaving_example: str = ""
    """The first of these, as the input names it."""
    report: InputReport
    """What was seen up to the last record that was read."""

    @property
    def skipped(self) -> int:
        """The number of unreadable records before the last one read."""
        return self.report.skipped.count

    @property
    def total_text(self) -> str:
        """The number of all records as text."""
        return f"{self.total:,}" if self.whole else f"about {self.total:,}"


def preview_input(
    captions: Path,
    image_root: Path | None,
    skip_bad: bool = False,
    options: ReadOptions = ReadOptions(),  # noqa: B008 (frozen)
) -> InputPreview:
    """Read the first records of an input, or all of a small file, and check that the images of the
    first ones exist.

    Without `image_root` the one that `new` would take. Raises `BadInput`, unless `skip_bad`, for a
    record that cannot be read.
    """
    captions = captions.expanduser()
    root = (image_root or default_root(captions)).expanduser().absolute()
    report = InputReport(skip_bad=skip_bad)
    batches = read_input(InputSource(path=captions, root=root, options=options), report)
    first: list[Record] = []
    whole, is_small = True, captions.is_file() and captions.stat().st_size <= COUNTED_BYTES
    for batch in batches:
        if len(first) <= PREVIEW_RECORDS:
            first += islice(batch.records(), PREVIEW_RECORDS + 1 - len(first))
        if len(first) > PREVIEW_RECORDS and not is_small:
            whole = False
            break
    records = tuple(first[:PREVIEW_RECORDS])
    total = report.records if whole else estimate_total(captions, options, records)
    paths = ImagePaths(str(root))
    images_present = sum(image_exists(paths, record.image) for record in records)
    confined = replace(paths, allow_outside=True, confined=True)
    leaving = [record.image for record in records if leads_out(confined, record.image)]
    return InputPreview(
        leaving=len(leaving),
        leaving_example=leaving[0] if leaving else "",
        records=records,
        total=total,
        whole=whole,
        images_present=images_present,
        paths=paths,
        report=report,
    )


def leads_out(confined: ImagePaths, image: str) -> bool:
    """Return True if confined paths refuse an image."""
    try:
        confined.resolve(image)
    except ImageProblem as problem:
        return problem.kind == "outside"
    return False


def check_folder_is_free(folder: Path) -> None:
    """Raise `BadInput` if no project can be made in a folder."""
    refuse_occupied(Project.at(folder.expanduser()))
