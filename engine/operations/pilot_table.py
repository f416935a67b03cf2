"""What counts of each model that a pilot tried, in one line a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from engine.quality.alarms import DUPLICATES

if TYPE_CHECKING:
    from engine.operations.pilot import PilotFindings


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotLine:
    """What a pilot showed of one model so far; what was not measured is None.

    The names of the fields are keys of the JSON that `pilot --json` prints.
    """

    name: str
    captions: int
    """Captions that it made; a scorer makes none."""
    failed: int
    """Records for which it made none."""
    truncated: int
    loops: int
    duplicates: int
    """Captions that are the same as an earlier one of the pilot."""
    refusals: int
    rated: int
    """Captions that a person called good or bad."""
    good: int
    """How many of these are good."""
    agreement: float | None
    """How far the other models' captions support its own, from 0 to 1."""
    images_per_second: float | None
    """On one device."""
    memory: int | None
    """The most memory of the device that it had, in bytes."""
    load_seconds: float | None
    seconds: float | None
    """How long the whole data set takes, with loading, on all devices."""
    error: str | None
    """The reason why it could not be tried."""
    health: Sequence[str]
    """What a run would say of the health of its captions."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def pilot_lines(findings: PilotFindings) -> list[PilotLine]:
    """Return a line for each model of a pilot, in its order."""
    return [pilot_line(findings, name) for name, _ in findings.plan.jobs]


def pilot_line(findings: PilotFindings, name: str) -> PilotLine:
    figures = findings.figures.get(name)  # a scorer has none
    counts = figures.counts if figures is not None else {}
    answers = [answer for (model, _), answer in findings.captions.items() if model == name]
    rated = [rating for (model, _), rating in findings.ratings.items() if model == name]
    captions = [answer for answer in answers if answer.raw is not None]
    return PilotLine(
        name=name,
        captions=len(captions) if figures is not None else 0,
        failed=len(answers) - len(captions),
        truncated=counts.get("truncated", 0),
        loops=counts.get("loops", 0),
        duplicates=counts.get(DUPLICATES, 0),
        refusals=counts.get("refusals", 0),
        rated=len(rated),
        good=sum(rating.good for rating in rated),
        agreement=findings.agreement(name),
        images_per_second=findings.rates.get(name),
        memory=findings.memory.get(name),
        load_seconds=findings.load_seconds.get(name),
        seconds=findings.model_seconds(name),
        error=findings.errors.get(name),
        health=findings.bad_news(name),
    )
