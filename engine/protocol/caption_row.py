"""One row of a caption log or score log as a value: what a worker sends, what a log holds.

A row is checked here and nowhere else, whether it comes from a worker's pipe or from a file. On
disk and on the wire it is a JSON object with the fields of its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import isfinite
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
ASKED_AGAIN = "asked_again"
"""The kind of failure of an `AskedAgainRow`."""
NOT_BETTER = "not_better"
"""The kind of failure of a record whose new caption is no better than the one that it has."""
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


class ScoreRow(msgspec.Struct, frozen=True):
    """The scores of captions of one record."""

    i: int
    """Index of the record in its shard."""
    scores: dict[str, float | None]
    """The score of each caption, by the digest of its text; None, which no log holds, stands for
    what is no finite number."""

    @property
    def is_finite(self) -> bool:
        """True if every score is a number."""
        return all(score is not None and isfinite(score) for score in self.scores.values())


class ErrorRow(msgspec.Struct, frozen=True):
    """The failure of one record."""

    i: int
    """Index of the record in its shard."""
    error: str
    """The kind of failure, such as `missing` or `poison`."""
    detail: str = ""
    """What happened, as a text for people."""


Changes = dict[str, str]
"""Settings as text, by name, as `mllmaug-tui set` takes them."""


class AskedAgainRow(ErrorRow, frozen=True):
    """A record that is asked about again, although it has a caption; a person wants a better one.

    Its kind of failure is `ASKED_AGAIN`, since failures replace no caption, also for programs that
    know nothing of this.
    """

    bad: tuple[str, ...] = ()
    """Names of the defects that the caption has and another must not have."""
    had: tuple[str, ...] = ()
    """Names of all defects that the caption has."""
    changes: Changes = {}
    """With which settings it is asked again."""
    language: str = "en"
    """The code of the language that was asked for."""


class RetriedRow(CaptionRow, frozen=True):
    """A caption that took the place of one with a defect; no worker sends one."""

    changes: Changes
    """The settings with which it was asked for, where they are others than the model's."""


Row = CaptionRow | ScoreRow | ErrorRow
"""A row of a log: a captioner's captions, a scorer's scores, and the failures of both."""


def parse_row(value: Any) -> Row:
    """Return the row that a JSON value stands for. Raises `ValueError` if it is none.

    Its numbers may be out of every range: that is for the reader of the row to judge.
    """
    if not isinstance(value, dict):
        raise ValueError("a row is not a JSON object")
    for name in ("i", "tokens"):
        number = value.get(name)
        # A reader of JSON makes a float of an integer beyond 64 bits.
        if isinstance(number, float) and not abs(number) < 2**53:
            value = value | {name: OUT_OF_RANGE}
    if "raw" in value:
        return msgspec.convert(value, CaptionRow)
    if "scores" in value:
        return msgspec.convert(value, ScoreRow)
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
    """Return the row as the JSON object that stands in a log, fields in this order."""
    return msgspec.structs.asdict(row)
