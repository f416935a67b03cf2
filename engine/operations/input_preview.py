"""A look at a caption file before a project is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.datasets.inputs.batch import Record
from engine.datasets.inputs.open_input import Input, read_input
from engine.datasets.inputs.skipped import Skipped
from engine.images.image import ImagePaths, exists
from engine.operations.new_project import refuse_occupied
from engine.project.layout import Project
from engine.utils.errors import BadInput

LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Peek:
    records: tuple[Record, ...]
    """The first of them."""
    total: int
    """An estimate by the file's size, unless `whole`."""
    whole: bool
    present: int
    """How many of these records' images were found."""
    paths: ImagePaths
    skipped: int = 0
    """Records up to there that cannot be read."""

    @property
    def shown(self) -> str:
        return f"{self.total:,}" if self.whole else f"about {self.total:,}"


def peek(
    captions: Path, image_root: Path | None, count: int = LOOKED_AT, skip_bad: bool = False
) -> Peek:
    """Raises `BadInput`."""
    captions = captions.expanduser()
    root = (image_root or captions.absolute().parent).expanduser().absolute()
    skipped = Skipped()
    batches = read_input(Input(captions, root, skipped=skipped if skip_bad else None))
    read = (record for batch in batches for record in batch.records())
    records = tuple(islice(read, count + 1))
    whole, records = len(records) <= count, records[:count]
    try:
        size = captions.stat().st_size
    except OSError as error:
        raise BadInput(f"cannot read {captions}: {error.strerror}") from error
    length = sum(len(record.line) + 2 for record in records)
    total = len(records) if whole else round(size / length * len(records))
    paths = ImagePaths(str(root))
    present = sum(exists(paths, record.image) for record in records)
    return Peek(records, total, whole, present, paths, skipped.count)


def check_folder_is_free(folder: Path) -> None:
    """Raises `BadInput` if no project can be made there."""
    refuse_occupied(Project(folder.expanduser().absolute()))
