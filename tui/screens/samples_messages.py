"""The messages in which the threads of the list of records hand over what they read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from tui.widgets.tables.record_table import RecordRow

if TYPE_CHECKING:
    from db.rows import RecordKey, SampleRow


@dataclass
class ShardRead(Message):
    """All records of a shard were read."""

    shard: int
    rows: tuple[RecordRow, ...]
    cursor: int
    """The row to put the cursor on."""


@dataclass
class RecordLocated(Message):
    """The record to jump to was searched; `key` is None if nothing matches `text`."""

    key: RecordKey | None
    text: str


@dataclass
class RecordReadFailed(Message):
    """A shard could not be read, or the text of a jump could not be understood."""

    reason: str


def rows_of_samples(samples: Iterable[SampleRow]) -> tuple[RecordRow, ...]:
    """Return one row per record, in the order of their newest captions."""
    rows: dict[RecordKey, RecordRow] = {}
    for sample in samples:
        key = sample.shard, sample.i
        if key not in rows:
            rows[key] = RecordRow(
                shard=sample.shard,
                i=sample.i,
                image=sample.image,
                original=sample.original,
                created=sample.created,
            )
    return tuple(rows.values())
