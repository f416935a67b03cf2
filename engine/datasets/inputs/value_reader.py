"""The reader of one input's JSON values, which remembers what was seen of their keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.datasets.inputs.batch import Record, RecordBatch
from engine.datasets.inputs.columns import listed
from engine.datasets.inputs.input_report import InputReport
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.record_layouts import (
    NoImage,
    find_image,
    make_records,
    read_value,
    shortened,
)
from engine.utils import jsonlines
from engine.utils.errors import BadInput
from engine.utils.plurals import plural

if TYPE_CHECKING:
    from engine.datasets.inputs.image_stems import ImageStems


class ValueReader:
    """Turns the JSON values of one file into records."""

    def __init__(self, path: Path, root: Path, options: ReadOptions, report: InputReport) -> None:
        """`root` is the image root, below which images are looked for by paths without suffix."""
        self.path = path
        self.root = root
        self.options = options
        self.report = report
        self.captions_of: Callable[[dict[str, Any]], list[str]] | None = None
        """Finds the captions of a value, where they stand apart from it."""
        self.stems: ImageStems | None = None
        """Finds images by paths without suffix, once a form was met that may have such paths."""
        self.number = 0
        """The number of values read so far, which is the 0-based number of the next one."""
        self.records = 0
        """The number of records among them."""
        self.keys: list[str] = []
        """The keys of the first value that is an object."""
        self.found_caption_key = options.caption_column is None
        """True if any value had the key of captions that a person named."""
        self.found_caption = False
        """True if any record has a caption."""

    def read(self, value: Any, source: str) -> list[Record]:
        """Return the records that the next value is, none if it is sound without an image.

        `source` is the value's JSON. Raises `ValueError` that says what is wrong.
        """
        self.number += 1
        if isinstance(value, dict):
            self.keys = self.keys or list(value)
            self.found_caption_key = self.found_caption_key or self.options.caption_column in value
        try:
            records = self.read_value(value, source)
        except NoImage as error:
            example = f"record {self.number - 1:,} of {self.path}"
            self.report.pass_over(error.reason, example, error.advice)
            return []
        self.records += len(records)
        self.found_caption = self.found_caption or any(record.caption for record in records)
        return records

    def read_value(self, value: Any, source: str) -> list[Record]:
        """Return the records of a value. Raises `ValueError`, `NoImage`."""
        if self.captions_of is None:
            return read_value(value, source, self.options, self.report)
        if not isinstance(value, dict):
            raise ValueError(f"not an object but {shortened(value)}")
        key, image = find_image(value, self.options)
        captions = self.captions_of(value)
        return make_records(value, key, image, "caption", captions, self.options, self.report)

    def resolve_stem(self, image: str) -> str:
        """Return an image path with the suffix of the one image that it fits, or as it is."""
        if self.stems is None:
            # Imported here, for with it comes Pillow, for which other inputs need not wait.
            from engine.datasets.inputs.image_stems import ImageStems

            self.stems = ImageStems(self.root)
        return self.stems.resolve(image)

    def add_plain(self, batch: RecordBatch) -> None:
        """Count a batch of plain records, which were read without this reader."""
        self.number += len(batch)
        self.records += len(batch)
        self.found_caption = self.found_caption or any(batch.captions)
        if not self.found_caption:
            self.keys = self.keys or list(jsonlines.loads(batch.lines[0]))

    def finish(self) -> None:
        """Raise `BadInput` if there was no record, or never the key that a person named."""
        if not self.records:
            messages = self.report.skipped.messages
            passed_over = next(iter(self.report.passed_over), "")
            reason = messages[-1] if messages else passed_over and f"it holds {passed_over}"
            raise BadInput(f"{self.path} holds no record" + (f": {reason}" if reason else ""))
        if not self.found_caption_key:
            raise BadInput(
                f"{self.path}: no record has {self.options.caption_column!r}"
                f" (the keys of the first are {listed(self.keys)})"
            )
        if self.stems is not None and self.stems.unknown:
            self.report.note(
                f"{self.path}: {plural(self.stems.unknown, 'image path')} without a suffix, such as"
                f" {self.stems.example!r}, fit no image in {self.root}, or several: --image-root"
                " names the folder of the images"
            )
        if not self.found_caption:
            self.report.see_without_captions(self.keys)
