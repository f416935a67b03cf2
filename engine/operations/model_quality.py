"""The quality of the captions of one model, as the Quality screen and `quality` show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import msgspec

from engine.quality.comparison import ScoreSums
from engine.quality.facts import FactSums
from engine.quality.model_health import Health
from engine.quality.shearing_sums import ShearingSums
from engine.quality.style import Style

if TYPE_CHECKING:
    from engine.demo.hallucination import Hallucination

AGREEMENT = "agreement"
SCORE = "score "
"""What the name of a scorer stands behind, where the worst captions are asked for by a score."""
SMALL_SCORE = 0.01
"""Below it four decimals show less than three digits of a score."""
OF_THE_RAW_TEXT = ("empty", "truncated", "leaks", "reasoning", "lead_ins")
"""Defects that are seen in the raw text, not in the sheared one."""


@dataclass(frozen=True, slots=True)
class Example:
    """A caption that has a defect; its raw text if the defect is `OF_THE_RAW_TEXT`."""

    shard: int
    i: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreQuality:
    """The scores that one scorer gave the captions of a model, or the originals."""

    raw: float | None
    """The mean score of raw captions; None if none is scored."""
    sheared: float | None
    """The same of sheared captions."""
    beats_original: float | None
    """The share of images whose sheared caption has a higher score than the original; None of
    originals, and where no image has both."""
    raw_bins: list[int] = field(hash=False)
    """Histogram of the scores of raw captions, in `SCORE_BINS` bins from `LOWEST` to 1."""
    sheared_bins: list[int] = field(hash=False)
    """The same of sheared captions."""

    @classmethod
    def of(cls, sums: ScoreSums) -> Self:
        """Return what the sums over all captions say."""
        return cls(
            raw=sums.raw.mean,
            sheared=sums.sheared.mean,
            beats_original=sums.beats.share,
            raw_bins=sums.raw.bins,
            sheared_bins=sums.sheared.bins,
        )

    def as_dict(self) -> dict[str, float | None]:
        """Return what `quality --json` prints of the scores."""
        return {
            "raw": rounded_score(self.raw),
            "sheared": rounded_score(self.sheared),
            "beats_original": rounded(self.beats_original),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is invented in captions of scenes of which the truth is known."""

    wrong_claims: float | None
    """Wrong claims a caption."""
    chair_i: float | None
    """The share of mentioned objects that are not in the image."""
    chair_s: float | None
    """The share of captions that mention one."""

    @classmethod
    def of(cls, counts: Hallucination) -> Self:
        """Return the figures of these counts, rounded."""
        return cls(
            wrong_claims=rounded(counts.wrong_claims_a_caption),
            chair_i=rounded(counts.chair_i),
            chair_s=rounded(counts.chair_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShearingQuality:
    """What shearing cuts of a model's captions, and what it changes."""

    sums: ShearingSums = field(hash=False)
    raw_agreement: float | None
    """The agreement of raw captions, in the sample."""
    sheared_agreement: float | None
    """The same of the sheared captions there."""
    raw_truth: Truth | None
    """None where the truth is not known: in every project but a demonstration."""
    sheared_truth: Truth | None

    def as_dict(self) -> dict[str, Any]:
        """Return what `quality --json` prints of shearing."""
        truth = None
        if self.raw_truth is not None and self.sheared_truth is not None:
            truth = {"raw": asdict(self.raw_truth), "sheared": asdict(self.sheared_truth)}
        return {
            **msgspec.structs.asdict(self.sums),
            "agreement": {
                "raw": rounded(self.raw_agreement),
                "sheared": rounded(self.sheared_agreement),
            },
            "truth": truth,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardQuality:
    """The health of one model's captions in one shard."""

    shard: int
    captions: int
    health: Health = field(hash=False)
    defective: int
    """How many captions have a defect that spoils them, or are exact duplicates of earlier ones."""
    finished: float | None
    """When the task was done, in seconds since 1970; None before, and for the originals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuality:
    """The quality of one model's captions, or of the originals."""

    name: str
    captions: int
    health: Health = field(hash=False)
    """How many captions have each defect."""
    left: Health = field(default_factory=dict, hash=False)
    """How many captions have leaks and lead-ins that shearing left, by name."""
    sampled: int
    """The number of captions of which near duplicates, style and facts were taken."""
    style: Style
    facts: FactSums = field(hash=False)
    most_frequent: list[tuple[str, int]] = field(hash=False)
    """The texts that most captions have, and how many have each."""
    shards: list[ShardQuality] = field(hash=False)
    examples: dict[str, Example] = field(hash=False)
    """A caption with each defect of which there is any."""
    raw_lengths: list[int] = field(hash=False)
    """The number of captions of 0, 1, ... words (`shard_health.Lengths`) before shearing."""
    sheared_lengths: list[int] = field(hash=False)
    """The same after shearing."""
    agreement: float | None = None
    """How far the captions of other models support these, the mean, from 0 to 1; None where no
    image has captions of two models."""
    no_agreement: str | None = None
    """Why there is no agreement, None where there is one."""
    agrees_better: float | None = None
    """The share of images whose caption is better supported than the original."""
    contradicted: int | None = None
    """How many originals captions contradict; None of models, and where nothing was compared."""
    scores: dict[str, ScoreQuality] = field(default_factory=dict, hash=False)
    """By the name of the scorer."""
    shearing: ShearingQuality | None = None
    """None of originals, which are not sheared."""

    @property
    def defective(self) -> int:
        """How many captions have a defect that spoils them, or are exact duplicates."""
        return sum(shard.defective for shard in self.shards)

    def as_dict(self, with_shards: bool) -> dict[str, Any]:
        """Return what `quality --json` prints of a model."""
        values: dict[str, Any] = {
            "name": self.name,
            "captions": self.captions,
            "health": self.health,
            "agreement": rounded(self.agreement),
            "scores": {name: scores.as_dict() for name, scores in self.scores.items()},
            "no_agreement": self.no_agreement,
            "shearing": self.shearing_dict(),
            "left": self.left,
            "defective": self.defective,
            "contradicted": self.contradicted,
            "style": self.style_dict(),
            "most_frequent": texts_with_counts(self.most_frequent),
        }
        if with_shards:
            values["shards"] = list(map(asdict, self.shards))
        return values

    def shearing_dict(self) -> dict[str, Any] | None:
        """Return what shearing cuts and changes, with the scores; None of originals."""
        if self.shearing is None:
            return None
        scores = {
            name: {"raw": rounded_score(each.raw), "sheared": rounded_score(each.sheared)}
            for name, each in self.scores.items()
        }
        return self.shearing.as_dict() | {"scores": scores}

    def style_dict(self) -> dict[str, Any]:
        """Return the figures of style, rounded; None where there is nothing to take them of."""
        style, facts = self.style, self.facts
        return {
            "sampled": self.sampled,
            "words": ratio(facts.words, facts.captions),
            "common_openings": rounded(style.common_openings),
            "openings": texts_with_counts(style.openings),
            "distinct_2": rounded(style.distinct_2),
            "vocabulary": rounded(style.vocabulary),
            "vocabulary_growth": rounded(style.vocabulary_growth),
            "new_words": ratio(facts.new, facts.compared),
            "new_share": ratio(facts.new, facts.content),
            "names_kept": ratio(facts.names_kept, facts.names),
            "numbers_kept": ratio(facts.numbers_kept, facts.numbers),
        }


def texts_with_counts(texts: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return texts, and how many captions have each, as `quality --json` prints them."""
    return [{"text": text, "captions": captions} for text, captions in texts]


def rounded(value: float | None) -> float | None:
    """Return a figure with four decimals, if there is one."""
    return None if value is None else round(value, 4)


def rounded_score(value: float | None) -> float | None:
    """Return a score with four decimals, or with three significant digits if it is small."""
    if value is None or abs(value) >= SMALL_SCORE:
        return rounded(value)
    return float(f"{value:.3g}")


def ratio(part: int, whole: int) -> float | None:
    """Return a ratio with four decimals; None if there is nothing to divide by."""
    return round(part / whole, 4) if whole else None
