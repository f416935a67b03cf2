"""Batches of records of the input: one Python object per record is too slow for millions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from engine.utils import jsonlines

RECORD_BOUNDARY = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")
"""The bytes between two records of an array, and inside of one if a string or list looks alike."""
SEPARATORS = re.compile(r"[ \t\r\n,]*")
"""The characters between two values of an array."""


class Record(NamedTuple):
    """One record of the input."""

    line: bytes
    """The record's JSON in one line, without the line break."""
    image: str
    """The image path, as the input writes it."""
    caption: str
    """The original caption; empty if the record has none."""


class RecordBatch:
    """Consecutive records, at least one, in the input's own bytes."""

    def __init__(self, text: bytes, images: list[str], captions: list[str]) -> None:
        """`text` is the JSON of all records with commas between, as it stands in an array."""
        self.text = text
        self.images = images
        self.captions = captions

    @classmethod
    def from_lines(cls, lines: list[bytes], images: list[str], captions: list[str]) -> RecordBatch:
        """Return the batch of records whose JSON stands in one line each."""
        batch = cls(b"", images, captions)
        batch.lines = lines
        batch.text = b",\n".join(lines)
        return batch

    @classmethod
    def from_records(cls, records: list[Record]) -> RecordBatch:
        """Return the batch of these records."""
        return cls.from_lines(*map(list, zip(*records, strict=True)))

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def lines(self) -> list[bytes]:
        """Each record's JSON in one line."""
        text = self.text
        # Outside of strings a line break is only layout, and inside it cannot stand raw.
        if b"\n" in text or b"\r" in text:
            text = text.replace(b"\n", b" ").replace(b"\r", b" ")
        parts = RECORD_BOUNDARY.split(text[1:-1])
        if len(parts) == len(self):
            return [b"{" + part + b"}" for part in parts]
        return split_values(text.decode())

    def records(self) -> Iterator[Record]:
        """Return the records one by one."""
        return map(Record, self.lines, self.images, self.captions)

    def part(self, start: int, end: int) -> RecordBatch:
        """Return the batch of some of the records; `start` and `end` are as in a slice."""
        return RecordBatch.from_lines(
            self.lines[start:end], self.images[start:end], self.captions[start:end]
        )


def split_values(text: str) -> list[bytes]:
    """Return the values of an array's text, parsed one by one: slow, but never misled by `}, {`
    inside of a value."""
    decoder = json.JSONDecoder()
    values, position = [], 0
    while position < len(text):
        _, end = decoder.raw_decode(text, position)
        values.append(text[position:end].encode())
        match = SEPARATORS.match(text, end)
        position = match.end() if match else end
    return values


def line_of(record: dict[str, Any]) -> bytes:
    """Return a record's JSON in one line. Long numbers and lone surrogates are kept."""
    try:
        return json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(record).encode()


def batch_of_pairs(pairs: list[tuple[str, str]]) -> RecordBatch:
    """Return the batch of (image, caption) pairs, which come from inputs that are not JSON."""
    images, captions = [image for image, _ in pairs], [caption for _, caption in pairs]
    lines = [jsonlines.dumps({"image": image, "caption": caption}) for image, caption in pairs]
    return RecordBatch.from_lines(lines, images, captions)


def regroup(
    batches: Iterator[RecordBatch], sizes: Iterator[int]
) -> Iterator[Iterator[RecordBatch]]:
    """Cut the stream of batches into consecutive groups of these many records.

    Each group is a stream of batches, which must be used up before the next group is asked for.
    Ends with the records.
    """
    rest: list[RecordBatch] = []

    def group(size: int) -> Iterator[RecordBatch]:
        while size and (batch := rest.pop() if rest else next(batches, None)) is not None:
            if len(batch) > size:
                rest.append(batch.part(size, len(batch)))
                batch = batch.part(0, size)
            size -= len(batch)
            yield batch

    for size in sizes:
        first = rest.pop() if rest else next(batches, None)
        if first is None:
            return
        rest.append(first)
        yield group(size)
