"""JSON Lines of which some are damaged: those are left out, each said with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from engine.datasets.inputs import exact_json
from engine.datasets.inputs.batch import Batch, Record
from engine.datasets.inputs.byte_stream import Stream
from engine.datasets.inputs.exact_json import LONGEST_RECORD
from engine.datasets.inputs.skipped import Skipped

READ_BYTES = 1 << 19


def read(stream: Stream, skipped: Skipped) -> Iterator[tuple[bytes, int]]:
    """Whole lines in blocks, each with the number of its first line.

    A line that is too long to be a record is left out.
    """
    number, rest = 1, b""
    while data := stream.read(READ_BYTES):
        block, rest = rest + data, b""
        if b"\n" in data:
            end = block.rfind(b"\n") + 1
            block, rest = block[:end], block[end:]
            yield block, number
            number += block.count(b"\n")
        elif len(block) <= LONGEST_RECORD:
            rest = block
        else:
            skipped.add(
                f"{stream.path}, line {number:,}: a line of more than {LONGEST_RECORD:,} bytes"
            )
            rest = behind_line(stream)
            number += 1
    if rest:
        yield rest, number


def behind_line(stream: Stream) -> bytes:
    """Passes over the rest of a line; what was read of the next one."""
    while data := stream.read(READ_BYTES):
        if b"\n" in data:
            return data.partition(b"\n")[2]
    return b""


def records(path: object, block: bytes, number: int, skipped: Skipped) -> Batch | None:
    """Those of a block of lines that can be read."""
    found: list[Record] = []
    for place, line in enumerate(block.split(b"\n"), start=number):
        if not line.strip():
            continue
        try:
            found.append(record(line))
        except ValueError as error:
            skipped.add(f"{path}, line {place:,}: {error}")
    return Batch.of(*map(list, zip(*found, strict=True))) if found else None


def record(line: bytes) -> Record:
    """Raises `ValueError` in words."""
    try:
        text = line.decode()
        value = json.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at its byte {error.start:,}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return exact_json.plain_record(value, text)
