"""The answer to a request: a text for people and, for some kinds, the result as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, TypeVar

import msgspec

from db.rows import RequestRow
from engine.requests.changes import Before
from engine.utils.plurals import plural

AnswerState = Literal["done", "refused"]
"""How a request was answered: the `state` of its row."""
BEFORE = "before"
"""The key of what was there before in the JSON object, beside the fields of `ExcludeResult`."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ExcludeResult:
    """The result of one exclude request; results of several requests are added up."""

    records: int = 0
    """Records that were excluded, or taken back in."""
    shards: int = 0
    """Tasks with such records."""
    running: int = 0
    """Tasks that were left alone because they are running."""
    trouble: str = ""
    """Why not all of it was done, as text; empty if all was."""

    def __add__(self, other: ExcludeResult) -> ExcludeResult:
        return ExcludeResult(
            records=self.records + other.records,
            shards=self.shards + other.shards,
            running=self.running + other.running,
            trouble="; ".join(filter(None, (self.trouble, other.trouble))),
        )

    def summary(self, exclude: bool) -> str:
        """Return the result as text; `exclude` is False if records were taken back in."""
        done = "excluded" if exclude else "included again"
        parts = [f"{done}: {plural(self.records, 'record')} of {plural(self.shards, 'shard')}"]
        if not self.records:
            parts = [f"nothing to {'exclude' if exclude else 'take back'}"]
        if self.running:
            parts.append(f"still running, ask again later: {plural(self.running, 'shard')}")
        return "; ".join([*parts, *filter(None, [self.trouble])])


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request."""

    text: str
    """What was done, or why the request is refused, for people."""
    result: ExcludeResult | None = None
    """What was done as values; None but for `Exclude`."""
    state: AnswerState = "done"
    before: Before | None = field(default=None, compare=False, repr=False)
    """What was changed, as it was before; None if nothing was, or if it cannot be undone."""

    def result_fields(self) -> dict[str, Any] | None:
        """Return the values of the answer as the JSON object that the database holds."""
        fields: dict[str, Any] = {} if self.result is None else asdict(self.result)
        if self.before:
            fields[BEFORE] = msgspec.to_builtins(self.before)
        return fields or None

    @classmethod
    def of_row(cls, row: RequestRow) -> Self:
        """Return the answer that stands in the row of a request that was answered.

        What is no answer of ours there is left out.
        """
        fields = dict(row.result or {})
        before = fields.pop(BEFORE, None)
        return cls(
            row.note or row.state,
            converted(fields, ExcludeResult) if fields else None,
            "refused" if row.state == "refused" else "done",
            None if before is None else converted(before, Before),
        )


def converted(value: object, type: type[Value]) -> Value | None:
    """Return a JSON value as one of a type, None if it is none."""
    try:
        return msgspec.convert(value, type)
    except (ValueError, RecursionError):
        return None


def refused(error: Exception) -> Answer:
    """Return the answer to a request that is refused for this error."""
    return Answer(str(error), state="refused")
