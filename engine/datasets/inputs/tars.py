"""Reader of WebDataset tars: images with their captions beside them, in any order.

Nothing is unpacked: a record's image is `ARCHIVE/MEMBER` (`engine.images.tar_members`). All headers
are read first, into compact arrays, since a caption may lie anywhere in the tar.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.inputs.input_report import BadRecord, InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.sample_table import find_samples
from engine.datasets.inputs.several import caption_pairs
from engine.datasets.inputs.sidecars import MAX_BYTES, captions_of_files
from engine.datasets.inputs.tables import BATCH_ROWS
from engine.images.formats import looks_like_image
from engine.images.tar_index import TarIndex
from engine.images.tar_members import index_of, member_address
from engine.images.tar_reading import DamagedTar, TarReader
from engine.utils.errors import BadInput
from engine.utils.plurals import plural

START_BYTES = 16
"""Bytes of a file by which its format is told."""


class NoImages(BadInput):
    """Raised for a tar in which there is no image."""


def read_tar(
    archive: Path, address: str, options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of a tar, in the order of their images; `address` is how records name it.

    Raises `BadRecord`, and `NoImages`. If bad records are left out, so is what follows a damaged
    place.
    """
    left_out = report.skipped.count
    empty = True
    try:
        index = index_of(str(archive))
        with TarReader(str(archive)) as tar:
            reader = TarRecords(archive, address, index, tar, options, report)
            pairs = reader.pairs()
            while chunk := list(islice(pairs, BATCH_ROWS)):
                empty = False
                yield batch_of_pairs(chunk)
    except OSError as error:
        report.leave_out(BadRecord(f"cannot read {archive}: {error.strerror or error}"))
    if empty and report.skipped.count == left_out:
        raise NoImages(f"{archive} holds no images")


class TarRecords:
    """The records of an open tar."""

    def __init__(
        self,
        archive: Path,
        address: str,
        index: TarIndex,
        tar: TarReader,
        options: ReadOptions,
        report: InputReport,
    ) -> None:
        self.archive = archive
        self.address = address
        self.index = index
        self.tar = tar
        self.options = options
        self.report = report

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield (image, caption) of each record. Raises `BadRecord`, `OSError`."""
        damage = self.index.damage
        if damage is not None:
            self.leave_out_rest(damage)
        joined = len(self.index.archive_starts)
        if joined > 1:
            self.report.note(f"{self.archive}: {joined} archives joined in one tar; all are read")
        table = find_samples(self.index, self.holds_image, self.pass_over)
        last = max(table.images, default=-1)
        repeated = self.index.repeated()
        for image, texts in table.samples():
            name = self.index.name(image)
            if damage and not texts and table.texts and (image == last or not table.is_sorted):
                why = "its caption may be after the damage"
                self.report.leave_out(BadRecord(f"{self.archive}/{name}: {why}"))
                continue
            files = [(f"{self.archive}/{self.index.name(text)}", text) for text in texts]
            try:
                captions = captions_of_files(files, self.read, self.options, self.report)
            except BadRecord as error:
                self.report.leave_out(error)
                continue
            member = member_address(self.index, image) if image in repeated else name
            yield from caption_pairs(
                f"{self.address}/{member}", captions, self.options, self.report
            )

    def leave_out_rest(self, damage: DamagedTar) -> None:
        """Leave out what stands behind a damaged place. Raises `BadRecord`."""
        problem = f"{self.archive}: not a sound tar: {damage}"
        if not self.report.skip_bad:
            advice = "fetch it again, or unpack it and give the folder"
            raise BadRecord(f"{problem}: {advice}") from damage
        size = plural(self.tar.size - damage.offset, "byte")
        files = plural(self.tar.count_files(damage.offset), "file")
        self.report.skipped.add(f"{problem}: the rest of it is left out, {size} with {files}")

    def read(self, name: str, position: int) -> bytes:
        """Return the content of a text. Raises `BadRecord`, `OSError`."""
        offset, size = self.index.span(position)
        if size > MAX_BYTES:
            raise BadRecord(f"{name} has {size:,} bytes: is this a caption?")
        try:
            return self.tar.read(offset, size)
        except DamagedTar as error:
            raise BadRecord(f"{name} cannot be read: {error}") from error

    def holds_image(self, position: int) -> bool:
        """Return True if the content of a file is an image's."""
        offset, size = self.index.span(position)
        return looks_like_image(self.tar.read(offset, min(size, START_BYTES)))

    def pass_over(self, reason: str, name: str, advice: str) -> None:
        """Count a file that is in no sample."""
        self.report.pass_over(reason, f"{self.archive}/{name}", advice)
