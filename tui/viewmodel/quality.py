"""What the Quality screen says of a model: its defects, and which of them are too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from engine.operations.model_quality import AGREEMENT, SCORE
from engine.quality.alarms import LEAST_CAPTIONS, LIMITS, Limit
from engine.quality.quality_filter import CONTRADICTED, HEALTH_NAMES
from engine.quality.rating_count import RatingCount, count_ratings
from tui.formatting.scores import score_text
from tui.viewmodel.quality_limits import Limits, Verdict, verdict_of

if TYPE_CHECKING:
    from db.rows import CaptionKey, Rating, RecordKey
    from engine.operations.model_quality import Example, ModelQuality

SHORT_LABELS = {
    "loops": "loops",
    "duplicates": "duplicates",
    "near_duplicates": "near duplicates",
    "same_as_other": "same as another",
    "empty": "empty",
    "truncated": "truncated",
    "refusals": "refusals",
    "leaks": "leaks",
    "reasoning": "reasoning",
    "lead_ins": "lead-ins",
    "other_script": "other language",
    "beyond_clip": "beyond CLIP",
    CONTRADICTED: "contradicted",
}
"""The label of each defect in a column."""
PREDICATES = {
    "loops": ("loops", "loop"),
    "duplicates": ("repeats an earlier one", "repeat an earlier one"),
    "near_duplicates": ("nearly repeats an earlier one", "nearly repeat an earlier one"),
    "same_as_other": ("is the same as another model's", "are the same as another model's"),
    "empty": ("has no letter or digit", "have no letter or digit"),
    "truncated": ("breaks off before shearing", "break off before shearing"),
    "refusals": ("refuses", "refuse"),
    "leaks": ("leaks a prompt or template", "leak a prompt or template"),
    "reasoning": ("holds reasoning, which is cut", "hold reasoning, which is cut"),
    "lead_ins": ("begins with a lead-in", "begin with a lead-in"),
    "other_script": ("is in another language or script", "are in another language or script"),
    "beyond_clip": ("is longer than CLIP reads", "are longer than CLIP reads"),
    CONTRADICTED: ("is contradicted by the captions", "are contradicted by the captions"),
}
"""What one caption with the defect does, and what several do."""
NO_LIMIT = Limit(None, None)
ORDER: tuple[Verdict, ...] = ("alarming", "too many", "few", "-", "none")


@dataclass(frozen=True, slots=True)
class LowestLine:
    """A figure of the captions of a model of which the lowest are the worst."""

    name: str
    """As `worst_captions` takes it."""
    label: str
    mean: float
    captions: int

    verdict: ClassVar[Verdict] = "-"
    example: ClassVar[None] = None
    shown_count: ClassVar[str] = ""

    @property
    def count(self) -> int:
        """How many captions can be shown."""
        return self.captions

    @property
    def shown_share(self) -> str:
        return score_text(self.mean)

    @property
    def sentence(self) -> str:
        return f"{self.label}: {score_text(self.mean)}, the mean; enter shows the lowest"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectLine:
    """One defect of the captions of a model."""

    name: str
    count: int
    captions: int
    """The captions among which these were counted."""
    left: int
    """How many have the defect after shearing, by which it is judged."""
    verdict: Verdict
    limit: Limit
    example: Example | None

    @property
    def label(self) -> str:
        return SHORT_LABELS[self.name]

    @property
    def share(self) -> float:
        return self.count / self.captions if self.captions else 0.0

    @property
    def share_left(self) -> float:
        return self.left / self.captions if self.captions else 0.0

    @property
    def shown_count(self) -> str:
        return f"{self.count:,}"

    @property
    def shown_share(self) -> str:
        return f"{self.share:.1%}"

    @property
    def sentence(self) -> str:
        """How many captions have the defect, such as "82 of 596 loop: too many (over 3%)"."""
        if not self.captions:
            return "there is no caption yet"
        predicate = PREDICATES[self.name][self.count != 1]
        said = f"{self.count:,} of {self.captions:,} {predicate}"
        if self.left < self.count:
            said += f", {self.left:,} after shearing"
        bound = {"too many": self.limit.warn, "alarming": self.limit.stop}.get(self.verdict)
        if bound is not None:
            return f"{said}: {self.verdict} (over {bound:.0%})"
        usual, own = LIMITS.get(self.name, NO_LIMIT).warn, self.limit.warn
        if usual is None or own is None or self.left < LEAST_CAPTIONS or self.share_left <= usual:
            return said
        # The pilot or the settings of a model may move its limit: say so, as models are compared.
        return f"{said}: {self.verdict} (this model's own limit is {own:.0%}, not {usual:.0%})"


@dataclass(frozen=True, slots=True)
class RatingLine:
    """How many captions of a model people called good, or bad."""

    good: bool
    counts: RatingCount

    verdict: ClassVar[Verdict] = "-"
    example: ClassVar[None] = None

    @property
    def name(self) -> str:
        return "good" if self.good else "bad"

    @property
    def label(self) -> str:
        return f"rated {self.name}"

    @property
    def count(self) -> int:
        return self.counts.good if self.good else self.counts.bad

    @property
    def shown_count(self) -> str:
        return f"{self.count:,}"

    @property
    def shown_share(self) -> str:
        return f"{self.count / self.counts.rated:.1%}"

    @property
    def sentence(self) -> str:
        """Such as "3 of 4 rated captions are good"."""
        return f"{self.count:,} of {self.counts.rated:,} rated captions are {self.name}"


QualityLine = DefectLine | LowestLine | RatingLine
"""A line of the Quality screen, by which the worst captions can be looked at."""


def quality_lines(quality: ModelQuality, limits: Limits) -> list[QualityLine]:
    """Return the defects of a model, and then what is known of its captions beside others."""
    lowest: list[QualityLine] = []
    if quality.contradicted is not None:
        lowest.append(defect_line(quality, CONTRADICTED, quality.contradicted, limits))
    if quality.agreement is not None:
        lowest.append(LowestLine(AGREEMENT, "agreement", quality.agreement, quality.captions))
    for name, scores in quality.scores.items():
        if scores.sheared is not None:
            label = f"score of {name}"
            lowest.append(LowestLine(SCORE + name, label, scores.sheared, quality.captions))
    return [*defect_lines(quality, limits), *lowest]


def rating_lines(ratings: Mapping[CaptionKey, Rating], model_id: int) -> list[RatingLine]:
    """Return how many captions of a model are rated good, and bad, if any is rated."""
    counts = count_ratings(ratings).get(model_id)
    return [] if counts is None else [RatingLine(good, counts) for good in (True, False)]


def rated_records(
    ratings: Mapping[CaptionKey, Rating], model_id: int, good: bool
) -> tuple[RecordKey, ...]:
    """Return the records whose captions of a model are rated so, in order."""
    return tuple(
        sorted(
            (shard, i)
            for (shard, i, rated_id), rating in ratings.items()
            if rated_id == model_id and rating.good == good
        )
    )


def defect_lines(quality: ModelQuality, limits: Limits) -> list[DefectLine]:
    """Return the defects of a model, those furthest beyond their limits first."""
    lines = [defect_line(quality, name, quality.health[name], limits) for name in HEALTH_NAMES]
    return sorted(lines, key=badness)


def defect_line(quality: ModelQuality, name: str, count: int, limits: Limits) -> DefectLine:
    """Return the line of a defect that so many captions have."""
    captions = quality.sampled if name == "near_duplicates" else quality.captions
    left = quality.left.get(name, count)
    return DefectLine(
        name=name,
        count=count,
        captions=captions,
        left=left,
        verdict="-" if left < count and not left else verdict_of(name, left, captions, limits),
        limit=limits.get(name, NO_LIMIT),
        example=quality.examples.get(name),
    )


def badness(line: DefectLine) -> tuple[int, float]:
    """Return a key by which the worst defects come first, and those without a limit later."""
    bound = line.limit.warn or line.limit.stop or 1.0
    return ORDER.index(line.verdict), -line.share_left / bound


def worst_line(quality: ModelQuality, limits: Limits) -> DefectLine | None:
    """Return the worst defect of a model; None if no caption has one with a limit."""
    line = defect_lines(quality, limits)[0]
    return None if line.verdict in ("-", "none") else line


def missing_figures(qualities: Sequence[ModelQuality]) -> list[str]:
    """Return why figures are missing that stand as dashes, of the originals and the models."""
    models = qualities[1:]
    missing = []
    if all(quality.agreement is None for quality in models):
        missing += [f"Agree: {quality.no_agreement}" for quality in models[:1]]
    if not any(quality.scores for quality in qualities):
        missing.append("Score: no scorer (add-model PROJECT NAME=score:FOLDER)")
    if not any(quality.facts.compared for quality in models):
        missing.append("New: no caption beside an original yet")
    return [*missing, "original: Beats and New compare with it"]
