"""Reading caption files as a stream: upstream's JSON array, and JSON Lines.

Every record comes with its own bytes, so that extra keys, long numbers and odd escapes survive.
Memory does not depend on the file's size. Blocks of plain records go the fast way; whatever it
stumbles over (a lone surrogate, NaN, `}, {` inside a caption, an error) the exact reader reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from engine.datasets.inputs import exact_json, lenient_jsonl
from engine.datasets.inputs.batch import Batch, Record
from engine.datasets.inputs.byte_stream import Stream, opened
from engine.datasets.inputs.exact_json import Text
from engine.datasets.inputs.skipped import Skipped
from engine.utils.errors import BadInput

READ_BYTES = 1 << 19
EXACTLY = 1000
"""Records that are read the exact way before the fast way is tried again."""
BLANKS = b" \t\r\n"
LAST_TRIES = 64

Exact = Callable[[Text, int], Iterator[Record | None]]
Fast = Callable[[bytes], tuple[Batch | None, bytes]]
"""Takes a block that starts with a record; returns records, if plain, and what follows them."""


def read_records(path: Path) -> Iterator[Record]:
    """The records of a caption file in order. Raises `BadInput` with the position."""
    for batch in read_batches(path):
        yield from batch.records()


def read_batches(path: Path, skipped: Skipped | None = None) -> Iterator[Batch]:
    """What cannot be read is an error, or left out where `skipped` takes it: values of an array
    that are no records, and damaged lines of JSON Lines."""
    with opened(path) as stream:
        first = skip_blanks(stream)
        if first == b"[":
            stream.read(1)
            if skip_blanks(stream) == b"]":
                raise BadInput(f"{path} holds no records: the array is empty")
            slow = partial(exact_json.array, skipped=skipped)
            yield from alternate(stream, array_block, slow)
        elif first and skipped is not None:
            yield from good_lines(stream, skipped)
        elif first == b"{":
            yield from alternate(stream, lines_block, exact_json.lines)
        elif not first:
            raise BadInput(f"{path} is empty")
        else:
            text = Text(stream, READ_BYTES)
            text.skip_blanks()  # says so if it is no text at all
            raise text.error('neither a JSON array of {"image", "caption"} records nor JSON Lines')


def good_lines(stream: Stream, skipped: Skipped) -> Iterator[Batch]:
    """Raises `BadInput` where no line is good."""
    some = False
    for block, number in lenient_jsonl.read(stream, skipped):
        batch, rest = lines_block(block)
        if batch is None or rest:
            batch = lenient_jsonl.records(stream.path, block, number, skipped)
        if batch is not None:
            some = True
            yield batch
    if not some:
        raise BadInput(f"{stream.path} holds no record: {skipped.shown[0]}")


def skip_blanks(stream: Stream) -> bytes:
    """The next byte that is no blank; the stream stands before it."""
    while data := stream.read(4096):
        if rest := data.lstrip(BLANKS):
            stream.unread(rest)
            return rest[:1]
    return b""


def alternate(stream: Stream, fast: Fast, slow: Exact) -> Iterator[Batch]:
    number = 0
    while True:
        block = stream.read(READ_BYTES)
        batch, rest = fast(block)
        if batch is not None:
            stream.unread(rest)
            number += len(batch)
            yield batch
            continue
        stream.unread(block)
        text = Text(stream, READ_BYTES)
        records: list[Record] = []
        for found in slow(text, number):
            if found is not None:
                records.append(found)
                number += 1
            elif len(records) >= EXACTLY:
                yield Batch.of(*map(list, zip(*records, strict=True)))
                records = []
                text.give_back()
                break
        else:
            if records:
                yield Batch.of(*map(list, zip(*records, strict=True)))
            return


def array_block(block: bytes) -> tuple[Batch | None, bytes]:
    """Up to the last `}, {`. What parses as an array between brackets is a run of whole records:
    a cut inside of one would leave something open."""
    start = len(block)
    for _ in range(LAST_TRIES):
        start = block.rfind(b"{", 1, start)
        if start < 0:
            break
        before = block[max(0, start - 64) : start].rstrip(BLANKS)
        if before.endswith(b",") and before[:-1].rstrip(BLANKS).endswith(b"}"):
            text = block[: block.rfind(b"}", 0, start) + 1]
            try:
                columns = checked(orjson.loads(b"[" + text + b"]"))
            except ValueError:
                break
            return columns and Batch(text, *columns), block[start:]
    return None, block


def lines_block(block: bytes) -> tuple[Batch | None, bytes]:
    """Up to the last line break, each line parsed by itself."""
    end = block.rfind(b"\n") + 1
    lines = [line for line in block[:end].split(b"\n") if line.strip(BLANKS)]
    try:
        columns = checked(list(map(orjson.loads, lines)))
    except ValueError:
        return None, block
    if b"\r" in block:
        lines = [line.replace(b"\r", b" ") for line in lines]
    return columns and Batch.of(lines, *columns), block[end:]


def checked(values: list[Any]) -> tuple[list[str], list[str]] | None:
    """The images and captions, or None if any of the values is not plainly a record."""
    try:
        images = list(map(itemgetter("image"), values))
        captions = [value.get("caption") for value in values]
    except (KeyError, TypeError, AttributeError, IndexError):
        return None
    kinds = set(map(type, captions))
    if set(map(type, images)) != {str} or not kinds <= {str, type(None)} or not all(images):
        return None
    if type(None) in kinds:
        captions = [caption or "" for caption in captions]
    return images, captions
