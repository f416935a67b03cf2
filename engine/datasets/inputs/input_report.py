"""What reading inputs shows besides the records: what was left out, and what was passed over.

A record that cannot be read is an error, or left out if a person asked for that (`skip_bad`). A
file, member or line that holds no record is passed over, and counted by its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from engine.datasets.inputs.batch import RecordBatch
from engine.utils.errors import BadInput

MAX_MESSAGES = 20
"""Messages about left-out records that are kept: more tell a person nothing new."""


class BadRecord(BadInput):
    """Raised for one record that cannot be read, and could be left out."""


class CutShort(BadRecord):
    """Raised where a file ends in the middle, once all whole records before that were read."""


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


@dataclass(slots=True, kw_only=True)
class InputReport:
    """What readers have seen so far; one report serves all inputs of a project."""

    skip_bad: bool = False
    """True if records that cannot be read are left out; otherwise the first one is an error."""
    records: int = 0
    """Records read."""
    captioned: int = 0
    """Records with an original caption."""
    rewritten: int = 0
    """Records of JSON whose own bytes were not taken, since their keys have other names."""
    skipped: SkippedRecords = field(default_factory=SkippedRecords)
    """The records that were left out."""
    uncaptioned_keys: list[str] = field(default_factory=list)
    """The keys or columns of the first input in which no record has a caption."""
    passed_over: dict[str, PassedOver] = field(default_factory=dict)
    """What holds no record, by the reason, which is a plural such as "hidden files"."""
    notes: list[str] = field(default_factory=list)
    """What else a person should know of how the inputs were read, at most `MAX_MESSAGES`."""

    @property
    def keeps_bytes(self) -> bool:
        """True if all that was read of JSON were records, and stays as it is."""
        return not (self.rewritten or self.skipped.count or self.passed_over)

    def add_batch(self, batch: RecordBatch) -> None:
        """Count the records of a batch."""
        self.add_counts(len(batch), sum(map(bool, batch.captions)))

    def add_counts(self, records: int, captioned: int) -> None:
        """Count records, and how many of them have a caption."""
        self.records += records
        self.captioned += captioned

    def add(self, other: InputReport) -> None:
        """Add what was seen of other inputs, in another process."""
        self.add_counts(other.records, other.captioned)
        self.rewritten += other.rewritten
        self.skipped.count += other.skipped.count
        room = MAX_MESSAGES - len(self.skipped.messages)
        self.skipped.messages += other.skipped.messages[:room]
        for reason, passed in other.passed_over.items():
            self.pass_over(reason, passed.example, passed.advice, passed.count)
        for message in other.notes:
            self.note(message)
        self.see_without_captions(other.uncaptioned_keys)

    def leave_out(self, error: BadRecord) -> None:
        """Count a record as left out, or raise its error unless `skip_bad`."""
        if not self.skip_bad:
            raise error
        self.skipped.add(str(error))

    def pass_over(self, reason: str, example: str, advice: str = "", count: int = 1) -> None:
        """Count what was passed over for a reason."""
        self.passed_over.setdefault(reason, PassedOver(example, advice)).count += count

    def reasons(self) -> Iterator[str]:
        """Yield why something was passed over, how often, and what to do about it."""
        for reason, passed in self.passed_over.items():
            advice = f": {passed.advice}" if passed.advice else ""
            yield f"{reason} ({passed.count:,}, such as {passed.example}){advice}"

    def note(self, message: str) -> None:
        """Keep a message about how an input was read."""
        if len(self.notes) < MAX_MESSAGES:
            self.notes.append(message)

    def see_without_captions(self, keys: Iterable[str]) -> None:
        """Note the keys or columns of an input in which no record has a caption."""
        self.uncaptioned_keys = self.uncaptioned_keys or list(keys)
