"""Streaming reader of caption files in JSON: upstream's array, and JSON Lines.

Every record comes with its own bytes, so that extra keys, long numbers and odd escapes survive.
Memory does not depend on the file's size. Blocks of plain records go the fast way; whatever it
stumbles over (a lone surrogate, NaN, `}, {` inside a caption, an error) the exact reader reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from engine.datasets.inputs import exact_json, lenient_jsonl
from engine.datasets.inputs.batch import Record, RecordBatch
from engine.datasets.inputs.byte_stream import ByteStream, open_stream
from engine.datasets.inputs.exact_json import TextWindow
from engine.datasets.inputs.input_report import CutShort, InputReport
from engine.datasets.inputs.json_objects import is_container, read_container
from engine.datasets.inputs.read_options import ReadOptions
from engine.datasets.inputs.record_layouts import may_have_caption
from engine.datasets.inputs.repeated_keys import repeats_plain_keys
from engine.datasets.inputs.value_reader import ValueReader
from engine.utils.errors import BadInput

READ_BYTES = 1 << 19
"""Bytes of a block."""
EXACT_RECORDS = 1000
"""Records that are read the exact way before the fast way is tried again."""
BLANKS = b" \t\r\n"
"""The bytes that JSON allows between values."""
BOUNDARY_TRIES = 64
"""How many `{`, from the end of a block, are tried as the start of a record before the exact reader
takes the block."""

ExactReader = Callable[[TextWindow, ValueReader], Iterator[Record | None]]
"""Yields the records from the present one on; None where it may be left."""
FastParser = Callable[[bytes], tuple[RecordBatch | None, bytes]]
"""Takes a block that starts with a record. Returns its records, or None if they are not plain, and
the bytes that follow them."""


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a caption file in order. Raises `BadInput` with the position."""
    for batch in read_batches(path, path.parent, ReadOptions(), InputReport()):
        yield from batch.records()


def read_batches(
    path: Path, root: Path, options: ReadOptions, report: InputReport
) -> Iterator[RecordBatch]:
    """Yield the records of a caption file in order, in batches. Raises `BadInput`.

    `root` is the image root, below which images are looked for by paths without suffix.
    Bad records are values of an array that are no records, and damaged lines of JSON Lines.
    """
    reader = ValueReader(path, root, options, report)
    with open_stream(path) as stream:
        first = skip_blanks(stream)
        if first == b"[":
            stream.read(1)
            if skip_blanks(stream) == b"]":
                raise BadInput(f"{path} holds no records: the array is empty")
            try:
                yield from read_in_turns(stream, reader, parse_array_block, exact_json.read_array)
            except CutShort as error:
                report.leave_out(error)
        elif first == b"{" and is_container(stream, options):
            yield from read_container(stream, reader)
        elif first and report.skip_bad:
            yield from read_good_lines(stream, reader)
        elif first == b"{":
            yield from read_in_turns(stream, reader, parse_lines_block, exact_json.read_lines)
        elif not first:
            raise BadInput(f"{path} is empty")
        else:
            text = TextWindow(stream, READ_BYTES)
            text.skip_blanks()  # raises if it is no text at all
            raise text.error('neither a JSON array of {"image", "caption"} records nor JSON Lines')
    reader.finish()


def read_good_lines(stream: ByteStream, reader: ValueReader) -> Iterator[RecordBatch]:
    """Yield the good lines of JSON Lines, and leave out the others."""
    for block, line_number in lenient_jsonl.read_blocks(stream, reader.report.skipped):
        batch, rest = parse_fast(block, reader, parse_lines_block)
        if batch is None or rest:
            batch = lenient_jsonl.parse_block(block, line_number, reader)
        else:
            reader.add_plain(batch)
        if batch is not None:
            yield batch


def parse_fast(
    block: bytes, reader: ValueReader, parser: FastParser
) -> tuple[RecordBatch | None, bytes]:
    """Return what a fast parser does, or that it gives up where keys have other names.

    It also gives up if keys are repeated in the first block. Other blocks are not looked at: that
    would take a fifth of the time, and a program that repeats keys does so in each record.
    """
    if reader.options.names_columns:
        return None, block
    batch, rest = parser(block)
    if batch is not None and not reader.number and repeats_plain_keys(batch):
        return None, block
    return batch, rest


def skip_blanks(stream: ByteStream) -> bytes:
    """Return the next byte that is no blank, or b"" at the end; it is not consumed."""
    while data := stream.read(4096):
        if rest := data.lstrip(BLANKS):
            stream.push_back(rest)
            return rest[:1]
    return b""


def read_in_turns(
    stream: ByteStream, reader: ValueReader, parser: FastParser, read_exactly: ExactReader
) -> Iterator[RecordBatch]:
    """Yield batches of the fast parser, and of the exact reader where the fast one gives up."""
    while True:
        block = stream.read(READ_BYTES)
        batch, rest = parse_fast(block, reader, parser)
        if batch is not None:
            stream.push_back(rest)
            reader.add_plain(batch)
            yield batch
            continue
        stream.push_back(block)
        text = TextWindow(stream, READ_BYTES)
        records: list[Record] = []
        try:
            for record in read_exactly(text, reader):
                if record is not None:
                    records.append(record)
                elif len(records) >= EXACT_RECORDS:
                    yield RecordBatch.from_records(records)
                    records = []
                    text.push_back()
                    break
            else:
                if records:
                    yield RecordBatch.from_records(records)
                return
        except CutShort:
            if records:
                yield RecordBatch.from_records(records)
            raise


def parse_array_block(block: bytes) -> tuple[RecordBatch | None, bytes]:
    """Parse a block of an array up to its last `}, {` (a `FastParser`).

    A text that parses as an array between brackets is a run of whole records: a cut inside of one
    would leave something open.
    """
    start = len(block)
    for _ in range(BOUNDARY_TRIES):
        start = block.rfind(b"{", 1, start)
        if start < 0:
            break
        before = block[max(0, start - 64) : start].rstrip(BLANKS)
        if before.endswith(b",") and before[:-1].rstrip(BLANKS).endswith(b"}"):
            text = block[: block.rfind(b"}", 0, start) + 1]
            try:
                columns = plain_columns(orjson.loads(b"[" + text + b"]"))
            except ValueError:
                break
            return columns and RecordBatch(text, *columns), block[start:]
    return None, block


def parse_lines_block(block: bytes) -> tuple[RecordBatch | None, bytes]:
    """Parse a block of JSON Lines up to its last line break (a `FastParser`)."""
    end = block.rfind(b"\n") + 1
    lines = [line for line in block[:end].split(b"\n") if line.strip(BLANKS)]
    try:
        columns = plain_columns(list(map(orjson.loads, lines)))
    except ValueError:
        return None, block
    if b"\r" in block:
        lines = [line.replace(b"\r", b" ") for line in lines]
    return columns and RecordBatch.from_lines(lines, *columns), block[end:]


def plain_columns(values: list[Any]) -> tuple[list[str], list[str]] | None:
    """Return images and captions, or None if any of the values is not plainly a record."""
    try:
        images = list(map(itemgetter("image"), values))
        captions = [value.get("caption") for value in values]
    except (KeyError, TypeError, AttributeError, IndexError):
        return None
    types = set(map(type, captions))
    if set(map(type, images)) != {str} or not types <= {str, type(None)} or not all(images):
        return None
    if type(None) in types:
        keys = set().union(*(value for value in values if value.get("caption") is None))
        if may_have_caption(keys):
            return None
        captions = [caption or "" for caption in captions]
    return images, captions
