"""The answer to a request: a text for people and, for some kinds, the result as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.utils.plurals import plural

AnswerState = Literal["done", "refused"]
"""How a request was answered: the `state` of its row."""


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
        done = "excluded" if exclude else "taken back in"
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

    def result_fields(self) -> dict[str, Any] | None:
        """Return the result as the JSON object that the database holds."""
        return None if self.result is None else asdict(self.result)


def refused(error: Exception) -> Answer:
    """Return the answer to a request that is refused for this error."""
    return Answer(str(error), state="refused")
