"""Records of the input, many at a time: one Python object a record is too slow for millions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine import jsonlines


class Record(NamedTuple):
    """`line` is the record's JSON in one line, without the line break."""

    line: bytes
    image: str
    caption: str


class Batch(NamedTuple):
    """Consecutive records; the three lists are of one length and not empty."""

    lines: list[bytes]
    images: list[str]
    captions: list[str]

    def records(self) -> Iterator[Record]:
        return map(Record, *self)

    def between(self, start: int, end: int) -> Batch:
        return Batch(self.lines[start:end], self.images[start:end], self.captions[start:end])


def batch_of(pairs: list[tuple[str, str]]) -> Batch:
    """Records of inputs that are not JSON themselves, from (image, caption) pairs."""
    images, captions = [image for image, _ in pairs], [caption for _, caption in pairs]
    lines = [jsonlines.dumps({"image": image, "caption": caption}) for image, caption in pairs]
    return Batch(lines, images, captions)


def resized(batches: Iterator[Batch], sizes: Iterator[int]) -> Iterator[Iterator[Batch]]:
    """Cuts the stream into consecutive groups of these many records, each a stream of batches.

    A group must be used up before the next one is asked for. Ends with the records.
    """
    rest: list[Batch] = []

    def group(size: int) -> Iterator[Batch]:
        while size and (batch := rest.pop() if rest else next(batches, None)) is not None:
            if len(batch.lines) > size:
                rest.append(batch.between(size, len(batch.lines)))
                batch = batch.between(0, size)
            size -= len(batch.lines)
            yield batch

    for size in sizes:
        head = next(group(0), None) or (rest.pop() if rest else next(batches, None))
        if head is None:
            return
        rest.append(head)
        yield group(size)
