"""The lenient reader of JSON Lines: damaged lines are left out, with a message about each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from engine.datasets.inputs.batch import Record, RecordBatch
from engine.datasets.inputs.byte_stream import ByteStream
from engine.datasets.inputs.exact_json import LONGEST_RECORD
from engine.datasets.inputs.input_report import CutShort, SkippedRecords
from engine.datasets.inputs.value_reader import ValueReader
from engine.utils import jsonlines

READ_BYTES = 1 << 19
"""Bytes that are read at a time."""


def read_blocks(stream: ByteStream, skipped: SkippedRecords) -> Iterator[tuple[bytes, int]]:
    """Yield whole lines in blocks, each with the number of its first line, from 1.

    A line that is too long to be a record is left out.
    """
    line_number, rest = 1, b""
    while data := read_until_cut(stream, skipped):
        block, rest = rest + data, b""
        if b"\n" in data:
            end = block.rfind(b"\n") + 1
            block, rest = block[:end], block[end:]
            yield block, line_number
            line_number += block.count(b"\n")
        elif len(block) <= LONGEST_RECORD:
            rest = block
        else:
            skipped.add(
                f"{stream.path}, line {line_number:,}: a line of more than {LONGEST_RECORD:,} bytes"
            )
            rest = skip_line(stream, skipped)
            line_number += 1
    if rest and not stream.is_cut:
        yield rest, line_number


def read_until_cut(stream: ByteStream, skipped: SkippedRecords) -> bytes:
    """Return the next bytes; none at the end, or where the file is cut short, which is counted."""
    try:
        return stream.read(READ_BYTES)
    except CutShort as error:
        skipped.add(str(error))
        return b""


def skip_line(stream: ByteStream, skipped: SkippedRecords) -> bytes:
    """Pass over the rest of a line, and return what was read of the next one."""
    while data := read_until_cut(stream, skipped):
        if b"\n" in data:
            return data.partition(b"\n")[2]
    return b""


def parse_block(block: bytes, line_number: int, reader: ValueReader) -> RecordBatch | None:
    """Return the good records of a block of lines, or None if there is none.

    `line_number` is that of the first line.
    """
    records: list[Record] = []
    for number, line in enumerate(block.split(b"\n"), start=line_number):
        if not line.strip():
            continue
        try:
            records += reader.read(*parse_line(line))
        except ValueError as error:
            reader.report.skipped.add(f"{reader.path}, line {number:,}: {error}")
    return RecordBatch.from_records(records) if records else None


def parse_line(line: bytes) -> tuple[Any, str]:
    """Return the value of a line, and its text. Raises `ValueError` that says what is wrong."""
    try:
        text = line.decode()
        return json.loads(text), text
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at its byte {error.start:,}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {jsonlines.problem_of(error)}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
