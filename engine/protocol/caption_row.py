"""One row of a caption log as a value: what a worker sends, what a log holds.

A row is checked here and nowhere else, whether it comes from a worker's pipe or from a file. On
disk and on the wire it is a JSON object with the fields of `CaptionRow` or of `ErrorRow`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

TOKEN_COUNT_LIMIT = 2**31
"""Tokens from which on a count is no count of tokens: no model writes so many, and Parquet's 32-bit
column of them must hold it."""
RAW_CAPTION_LIMIT = 2**20
"""The most characters of a raw caption that is kept: 4,096 new tokens, the most that a model may
be told to write, are far fewer, and a longer text would be held in memory by every reader."""


IMPORTED = "imported"
"""The source of a caption that was made elsewhere."""
OUT_OF_RANGE = -1
"""Stands for an index or a number of tokens that is too large to be read exactly."""


class CaptionRow(msgspec.Struct, frozen=True):
    """The caption of one record."""

    i: int
    """Index of the record in its shard."""
    raw: str
    """The raw caption."""
    tokens: int
    """Number of new tokens, without the end token."""
    finish: str
    """How generation ended: `stop` or `length`."""


class ImportedRow(CaptionRow, frozen=True):
    """A caption that was made elsewhere and brought into a caption log; no worker sends one."""

    source: str
    """Where it comes from: `IMPORTED`."""


class ErrorRow(msgspec.Struct, frozen=True):
    """The failure of one record."""

    i: int
    """Index of the record in its shard."""
    error: str
    """The kind of failure, such as `missing` or `poison`."""
    detail: str = ""
    """What happened, as a text for people."""


Row = CaptionRow | ErrorRow
"""A row of a caption log."""


def parse_row(value: Any) -> Row:
    """Return the row that a JSON value stands for. Raises `ValueError` if it is none.

    Its numbers may be out of every range: that is for the reader of the row to judge.
    """
    if not isinstance(value, dict):
        raise ValueError("a row is no JSON object")
    for name in ("i", "tokens"):
        number = value.get(name)
        # A reader of JSON makes a float of an integer beyond 64 bits.
        if isinstance(number, float) and not abs(number) < 2**53:
            value = value | {name: OUT_OF_RANGE}
    if "raw" in value:
        return msgspec.convert(value, CaptionRow)
    return msgspec.convert(value, ErrorRow)


def parse_rows(values: Sequence[dict[str, Any]]) -> tuple[Row, ...]:
    """Return the rows that JSON objects stand for. Raises `ValueError` if one is none.

    Does as `parse_row`, in one call where all of them are captions, as they mostly are.
    """
    if all("raw" in value for value in values):
        with suppress(msgspec.ValidationError):
            return msgspec.convert(values, tuple[CaptionRow, ...])
    return tuple(map(parse_row, values))


def row_fields(row: Row) -> dict[str, Any]:
    """Return the row as the JSON object that stands in a caption log, fields in this order."""
    return msgspec.structs.asdict(row)
