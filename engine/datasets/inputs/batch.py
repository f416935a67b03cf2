"""Records of the input, many at a time: one Python object a record is too slow for millions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from engine.utils import jsonlines

BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*\{")
BLANKS = re.compile(r"[ \t\r\n,]*")


class Record(NamedTuple):
    """`line` is the record's JSON in one line, without the line break."""

    line: bytes
    image: str
    caption: str


class Batch:
    """Consecutive records, at least one, in the input's own bytes.

    `text` is their JSON with commas between, as it stands in an array.
    """

    def __init__(self, text: bytes, images: list[str], captions: list[str]) -> None:
        self.text = text
        self.images = images
        self.captions = captions

    @classmethod
    def of(cls, lines: list[bytes], images: list[str], captions: list[str]) -> Batch:
        batch = cls(b"", images, captions)
        batch.lines = lines
        batch.text = b",\n".join(lines)
        return batch

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def lines(self) -> list[bytes]:
        """Each record's JSON in one line. Outside of strings a line break is only layout, and
        inside it cannot stand raw."""
        text = self.text
        if b"\n" in text or b"\r" in text:
            text = text.replace(b"\n", b" ").replace(b"\r", b" ")
        parts = BETWEEN.split(text[1:-1])
        if len(parts) == len(self):
            return [b"{" + part + b"}" for part in parts]
        return one_by_one(text.decode())

    def records(self) -> Iterator[Record]:
        return map(Record, self.lines, self.images, self.captions)

    def between(self, start: int, end: int) -> Batch:
        return Batch.of(self.lines[start:end], self.images[start:end], self.captions[start:end])


def one_by_one(text: str) -> list[bytes]:
    """The values of an array's text, where `}, {` stands inside of one."""
    decoder = json.JSONDecoder()
    found, at = [], 0
    while at < len(text):
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end].encode())
        match = BLANKS.match(text, end)
        at = match.end() if match else end
    return found


def batch_of(pairs: list[tuple[str, str]]) -> Batch:
    """Records of inputs that are not JSON themselves, from (image, caption) pairs."""
    images, captions = [image for image, _ in pairs], [caption for _, caption in pairs]
    lines = [jsonlines.dumps({"image": image, "caption": caption}) for image, caption in pairs]
    return Batch.of(lines, images, captions)


def resized(batches: Iterator[Batch], sizes: Iterator[int]) -> Iterator[Iterator[Batch]]:
    """Cuts the stream into consecutive groups of these many records, each a stream of batches.

    A group must be used up before the next one is asked for. Ends with the records.
    """
    rest: list[Batch] = []

    def group(size: int) -> Iterator[Batch]:
        while size and (batch := rest.pop() if rest else next(batches, None)) is not None:
            if len(batch) > size:
                rest.append(batch.between(size, len(batch)))
                batch = batch.between(0, size)
            size -= len(batch)
            yield batch

    for size in sizes:
        head = rest.pop() if rest else next(batches, None)
        if head is None:
            return
        rest.append(head)
        yield group(size)
