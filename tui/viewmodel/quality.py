"""What the Quality screen says of a model: its defects, and which of them are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from engine.operations.model_quality import AGREEMENT, SCORE
from engine.quality.quality_filter import CONTRADICTED, HEALTH_NAMES
from tui.viewmodel.quality_limits import LIMITS, Verdict, verdict_of

if TYPE_CHECKING:
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
    "empty": ("is empty", "are empty"),
    "truncated": ("breaks off before shearing", "break off before shearing"),
    "refusals": ("refuses", "refuse"),
    "leaks": ("leaks a prompt or template", "leak a prompt or template"),
    "reasoning": ("holds reasoning, which is cut", "hold reasoning, which is cut"),
    "lead_ins": ("begins with a lead-in", "begin with a lead-in"),
    "other_script": ("is in another language or script", "are in another language or script"),
    "beyond_clip": ("is longer than CLIP reads", "are longer than CLIP reads"),
    CONTRADICTED: ("is supported by no model", "are supported by no model"),
}
"""What one caption with the defect does, and what several do."""
ORDER: tuple[Verdict, ...] = ("too many", "many", "few", "-", "none")


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
        return f"{self.mean:.3f}"

    @property
    def sentence(self) -> str:
        return f"{self.label}: {self.mean:.3f}, the mean; enter shows the lowest"


@dataclass(frozen=True, slots=True)
class DefectLine:
    """One defect of the captions of a model."""

    name: str
    count: int
    captions: int
    """The captions among which these were counted."""
    verdict: Verdict
    example: Example | None

    @property
    def label(self) -> str:
        return SHORT_LABELS[self.name]

    @property
    def share(self) -> float:
        return self.count / self.captions if self.captions else 0.0

    @property
    def shown_count(self) -> str:
        return f"{self.count:,}"

    @property
    def shown_share(self) -> str:
        return f"{self.share:.1%}"

    @property
    def sentence(self) -> str:
        """How many captions have the defect, such as "82 of 596 loop: too many"."""
        if not self.captions:
            return "there is no caption yet"
        predicate = PREDICATES[self.name][self.count != 1]
        said = f"{self.count:,} of {self.captions:,} {predicate}"
        if self.verdict not in ("many", "too many"):
            return said
        limits = LIMITS[self.name]
        limit = limits.too_many if self.verdict == "too many" else limits.many
        return f"{said}: {self.verdict} (over {limit:.0%})"


QualityLine = DefectLine | LowestLine
"""A line of the Quality screen, by which the worst captions can be looked at."""


def defect_lines(quality: ModelQuality) -> list[DefectLine]:
    """Return the defects of a model, those furthest beyond their limits first."""
    lines = []
    for name in HEALTH_NAMES:
        of_sample = name == "near_duplicates"
        captions = quality.sampled if of_sample else quality.captions
        count = quality.health[name]
        lines.append(
            DefectLine(
                name,
                count,
                captions,
                verdict_of(name, count, captions),
                quality.examples.get(name),
            )
        )
    return sorted(lines, key=badness)


def quality_lines(quality: ModelQuality) -> list[QualityLine]:
    """Return the defects of a model, and then what is known of its captions beside others."""
    lowest: list[QualityLine] = []
    if quality.contradicted is not None:
        example = quality.examples.get(CONTRADICTED)
        count, captions = quality.contradicted, quality.captions
        verdict = verdict_of(CONTRADICTED, count, captions)
        lowest.append(DefectLine(CONTRADICTED, count, captions, verdict, example))
    if quality.agreement is not None:
        lowest.append(LowestLine(AGREEMENT, "agreement", quality.agreement, quality.captions))
    for name, scores in quality.scores.items():
        if scores.sheared is not None:
            label = f"score of {name}"
            lowest.append(LowestLine(SCORE + name, label, scores.sheared, quality.captions))
    return [*defect_lines(quality), *lowest]


def badness(line: DefectLine) -> tuple[int, int, float]:
    """Return a key by which the worst defects come first, and those without a limit later."""
    limits = LIMITS.get(line.name)
    excess = line.share / limits.many if limits else line.share
    return ORDER.index(line.verdict), limits is None, -excess


def worst_line(quality: ModelQuality) -> DefectLine | None:
    """Return the worst defect of a model; None if no caption has one with a limit."""
    line = defect_lines(quality)[0]
    return line if line.count and line.name in LIMITS else None


def missing_figures(qualities: Sequence[ModelQuality]) -> list[str]:
    """Return why figures are missing that stand as dashes, of the originals and the models."""
    models = qualities[1:]
    missing = []
    if all(quality.agreement is None for quality in models):
        alone = "the project has one model" if len(models) < 2 else "no image has two captions yet"
        missing.append(f"Agree: {alone}")
    if not any(quality.scores for quality in qualities):
        missing.append("Score: no scorer (add-model PROJECT NAME=score:FOLDER)")
    if not any(quality.facts.compared for quality in models):
        missing.append("New: no caption beside an original yet")
    return [*missing, "original: Beats and New compare with it"]
