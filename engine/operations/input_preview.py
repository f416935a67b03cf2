"""A preview of a caption file, before a project is made of it. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from engine.datasets.inputs.batch import Record
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.open_input import InputSource, read_input
from engine.images.image import ImagePaths, ImageProblem, image_exists
from engine.operations.new_project import refuse_occupied
from engine.project.layout import Project
from engine.utils.errors import BadInput

PREVIEW_RECORDS = 100
"""The number of records that a preview reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPreview:
    """The first records of an input, and how many there are in all."""

    records: tuple[Record, ...]
    """The first records."""
    total: int
    """The number of all records: an estimate by the file's size, unless `whole`."""
    whole: bool
    """True if `records` are all records."""
    images_present: int
    """The number of images of `records` that exist."""
    paths: ImagePaths
    leaving: int = 0
    """The number of images of `records` that lie outside the image root, links followed."""
    leaving_example: str = ""
    """The first of these, as the input names it."""
    skipped: int = 0
    """The number of unreadable records before the last one read."""

    @property
    def total_text(self) -> str:
        """The number of all records as text."""
        return f"{self.total:,}" if self.whole else f"about {self.total:,}"


def preview_input(captions: Path, image_root: Path | None, skip_bad: bool = False) -> InputPreview:
    """Read the first records of a caption file, and check that their images exist.

    Without `image_root` the folder of the file is taken. Raises `BadInput`, unless `skip_bad`, for
    a record that cannot be read.
    """
    captions = captions.expanduser()
    root = (image_root or captions.absolute().parent).expanduser().absolute()
    report = InputReport(skip_bad=skip_bad)
    batches = read_input(InputSource(path=captions, root=root), report)
    read = (record for batch in batches for record in batch.records())
    records = tuple(islice(read, PREVIEW_RECORDS + 1))
    whole, records = len(records) <= PREVIEW_RECORDS, records[:PREVIEW_RECORDS]
    try:
        size = captions.stat().st_size
    except OSError as error:
        raise BadInput(f"cannot read {captions}: {error.strerror}") from error
    length = sum(len(record.line) + 2 for record in records)
    total = len(records) if whole else round(size / length * len(records))
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
        skipped=report.skipped.count,
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
