"""What reading inputs shows besides the records: what was left out, and what was passed over.

A record that cannot be read is an error, or left out if a person asked for that (`skip_bad`). A
file, member or line that holds no record is passed over, and counted by its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.datasets.inputs.batch import RecordBatch
from engine.utils.errors import BadInput

MAX_MESSAGES = 20
"""Messages about left-out records that are kept: more tell a person nothing new."""


class BadRecord(BadInput):
    """Raised for one record that cannot be read, and could be left out."""


@dataclass(slots=True)
class SkippedRecords:
    """The records that were left out of an input."""

    count: int = 0
    """Number of records left out."""
    messages: list[str] = field(default_factory=list)
    """What is wrong with the first of them, each with its position."""

    def add(self, message: str) -> None:
        """Count one more record, with what is wrong with it."""
        self.count += 1
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(message)


@dataclass(slots=True)
class PassedOver:
    """Files, members or lines that were passed over for one reason."""

    example: str
    """The first of them."""
    advice: str
    """What a person can do about it; empty if there is nothing to do."""
    count: int = 0


@dataclass(slots=True)
class InputReport:
    """What readers have seen so far; one report serves all inputs of a project."""

    skip_bad: bool = False
    """True if records that cannot be read are left out; otherwise the first one is an error."""
    records: int = 0
    """Records read."""
    captioned: int = 0
    """Records with an original caption."""
    skipped: SkippedRecords = field(default_factory=SkippedRecords)
    """The records that were left out."""
    passed_over: dict[str, PassedOver] = field(default_factory=dict)
    """What holds no record, by the reason, which is a plural such as "hidden files"."""

    def add_batch(self, batch: RecordBatch) -> None:
        """Count the records of a batch."""
        self.records += len(batch)
        self.captioned += sum(map(bool, batch.captions))

    def leave_out(self, error: BadRecord) -> None:
        """Count a record as left out, or raise its error unless `skip_bad`."""
        if not self.skip_bad:
            raise error
        self.skipped.add(str(error))

    def pass_over(self, reason: str, example: str, advice: str = "", count: int = 1) -> None:
        """Count what was passed over for a reason."""
        self.passed_over.setdefault(reason, PassedOver(example, advice)).count += count
