"""COCO's form: a list of images, and a list of annotations that name their images by id.

The captions of all annotations are gathered first: their texts in a file that is removed at the
end, and 40 bytes of memory for each (150 more for each image whose id is no number). The images are
then read as a stream.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any, Self

import numpy as np

from engine.datasets.inputs.batch import Record
from engine.datasets.inputs.byte_stream import open_stream
from engine.datasets.inputs.exact_json import TextWindow, records_or_left_out
from engine.datasets.inputs.input_report import BadRecord
from engine.datasets.inputs.json_walk import elements, members, skip_value
from engine.datasets.inputs.record_layouts import find_captions
from engine.datasets.inputs.value_reader import ValueReader

LISTS = ("images", "annotations")
"""The keys of the two lists."""
OTHER_LISTS = ("licenses", "categories")
"""The keys of lists beside these, which hold no records."""
READ_BYTES = 1 << 19
"""Bytes that are read at a time."""
LARGEST_ID = 2**62
"""An id that is a whole number below this is kept as it is; any other gets a number above it."""


class CaptionTable:
    """The captions of all images, found by the image's id; use it in a `with` block."""

    def __init__(self) -> None:
        self.ids = array("q")
        """The number of the image's id, for each caption."""
        self.ends = array("q")
        """The offset in `texts` at which each caption ends, in bytes."""
        self.numbers: dict[Any, int] = {}
        """The numbers of ids that are no whole numbers."""
        self.texts = TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self.size = 0
        """The bytes in `texts`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.texts.close()

    def add(self, image_id: Any, caption: str) -> None:
        """Add a caption. Raises `ValueError` if the id is neither a number nor a text."""
        data = caption.encode(errors="surrogatepass")
        self.ids.append(self.number(image_id))
        self.texts.write(data)
        self.size += len(data)
        self.ends.append(self.size)

    def number(self, image_id: Any) -> int:
        """Return the number that stands for an id. Raises `ValueError`."""
        if isinstance(image_id, str) and image_id.isdecimal() and str(int(image_id)) == image_id:
            image_id = int(image_id)  # some files write numbers as texts in one of the lists
        if isinstance(image_id, bool) or not isinstance(image_id, (int, str)):
            raise ValueError("no id of an image that is a number or a text")
        if isinstance(image_id, int) and abs(image_id) < LARGEST_ID:
            return image_id
        return self.numbers.setdefault(image_id, LARGEST_ID + len(self.numbers))

    def shown_id(self, index: int) -> int | str:
        """Return the id of a caption's image as the file has it."""
        number = self.ids[index]
        texts = (text for text, stands_for in self.numbers.items() if stands_for == number)
        return next(texts, number)

    def sort(self) -> None:
        """Make ready for `captions`, once all are added."""
        self.texts.flush()
        ids = np.frombuffer(self.ids, dtype=np.int64)
        self.order = np.argsort(ids, kind="stable")
        self.sorted_ids = ids[self.order]
        self.asked = np.zeros(len(ids), dtype=bool)
        """True for each caption, in sorted order, whose image was asked for."""

    def captions(self, image_id: Any) -> list[str]:
        """Return the captions of an image in the order in which they were added."""
        number = self.number(image_id)
        start, end = np.searchsorted(self.sorted_ids, [number, number + 1])
        self.asked[start:end] = True
        return [self.text(int(index)) for index in self.order[start:end]]

    def text(self, index: int) -> str:
        """Return the caption with an index in the order of adding."""
        start = self.ends[index - 1] if index else 0
        data = os.pread(self.texts.fileno(), self.ends[index] - start, start)
        return data.decode(errors="surrogatepass")


def read_captions(reader: ValueReader) -> CaptionTable | None:
    """Read the whole file, and return the captions of its annotations, or None.

    It is None if the file lacks one of the two lists. Raises `BadInput`.
    """
    table, lists = CaptionTable(), set()
    try:
        with open_stream(reader.path) as stream:
            text = TextWindow(stream, READ_BYTES)
            for key in members(text):
                if text.skip_blanks() != "[":
                    skip_value(text)
                    continue
                lists.add(key)
                for number, (value, _) in enumerate(elements(text)):
                    if key == "annotations":
                        try:
                            add_annotation(table, value, reader)
                        except ValueError as error:
                            problem = text.error(f"annotation {number:,}: {error}")
                            reader.report.leave_out(BadRecord(str(problem)))
    except BaseException:
        table.texts.close()
        raise
    if lists.issuperset(LISTS):
        table.sort()
        return table
    table.texts.close()
    return None


def add_annotation(table: CaptionTable, value: Any, reader: ValueReader) -> None:
    """Add the captions of an annotation. Raises `ValueError` that says what is wrong with it."""
    if not isinstance(value, dict):
        raise ValueError("not an object")
    if reader.options.caption_column in value:
        reader.found_caption_key = True
    _, captions = find_captions(value, reader.options)
    if not captions:
        example = f"annotation {value.get('id')} of {reader.path}"
        reader.report.pass_over("annotations without a caption", example)
    for caption in captions:
        table.add(value.get("image_id"), caption)


def images_with_captions(table: CaptionTable, reader: ValueReader) -> Iterator[Record]:
    """Yield the records of all images, in their order, each with its captions.

    Raises `BadInput`, and `BadRecord` unless such records are left out.
    """
    reader.captions_of = lambda value: table.captions(value.get("id"))
    with open_stream(reader.path) as stream:
        text = TextWindow(stream, READ_BYTES)
        for key in members(text):
            if key != "images":
                skip_value(text)
                continue
            for value, source in elements(text):
                yield from records_or_left_out(text, reader, value, source)
    lost = len(table.asked) - int(table.asked.sum())
    if lost:
        first = int(table.order[int(np.argmin(table.asked))])
        reader.report.pass_over(
            "captions of images that are not listed",
            f"{table.text(first)[:80]!r} (image_id {table.shown_id(first)})",
            "the list 'images' of the file lacks them",
            count=lost,
        )
