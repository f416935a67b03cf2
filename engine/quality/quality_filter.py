"""Filters by quality: what a caption must be like to be exported, or to be trained on.

`export`, `JointCaptions` and the Export dialog make the same `QualityFilter`; here are its options,
what they may be, and how they are written. `engine.quality.judgement` carries them out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import NamedTuple, Self

from engine.quality.defects import DEFECT_NAMES
from engine.quality.languages import LANGUAGES
from engine.utils.errors import BadInput

REPEATS = ("duplicates", "near_duplicates", "same_as_other")
"""What is wrong with a caption beside others, by its names in outputs and options."""
HEALTH_NAMES = (*DEFECT_NAMES, *REPEATS)
"""All that can be wrong with a caption, in the order in which it is looked at."""
CUT_WITHIN = "cut_within_sentence"
"""The name of captions that mode `paper` cut at a full stop that ends no sentence."""
FILTER_NAMES = (*HEALTH_NAMES, CUT_WITHIN)
"""All for which a caption may be left out."""
RANDOM = "random"
"""Stands for the name of a scorer where captions are drawn, not chosen by their score."""
CONTRADICTED = "contradicted"
"""The rule of originals that leaves out those which the captions contradict."""
UNSCORED = "not scored yet"
"""The reason for which a caption is left out that no score is known of."""
MAX_SCORE = 1.0
"""The highest score and, with a minus, the lowest: scores are cosines or probabilities."""
MAX_SEED = 2**63 - 1
BELOW = re.compile(r"\s*(.+?)\s*<\s*(\S+)\s*")
"""A rule of originals such as `score<0.2`, or `clip<0.2` for the scorer of this name."""


class ScoreBound(NamedTuple):
    """The lowest score that a caption may have."""

    scorer: str | None
    """The name of the scorer; None is the one of `QualityFilter.by`."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFilter:
    """What the captions of models must be like; `drop_original_when` alone is of the originals.

    Raises `BadInput` for values that make no sense. `for_project` checks them against a project.
    """

    without: tuple[str, ...] = ()
    """The names of what must not be wrong with a caption (`FILTER_NAMES`)."""
    language: str = "en"
    """The code of the language that was asked for, for `other_script`."""
    min_score: tuple[ScoreBound, ...] = ()
    """The lowest score by each of these scorers, which are named."""
    best: int | None = None
    """How many captions of an image stay, those with the highest scores; None is all."""
    min_agree: float | None = None
    """How far the other captions of the image must support a caption, from 0 to 1."""
    drop_contradicted: bool = False
    """True if originals that the captions contradict are left out."""
    original_min_score: ScoreBound | None = None
    """The lowest score of an original."""
    keep_share: float | None = None
    """The share of what the other filters leave that stays: that with the highest scores, or what
    is drawn."""
    by: str | None = None
    """The scorer by which `best` and `keep_share` choose; `random` if `keep_share` is to draw. None
    is the only scorer of a project, and `random` without one."""
    share_seed: int = 0
    """What is drawn depends on it, on the record and on the model's name alone."""

    def __post_init__(self) -> None:
        for name in self.without:
            if name not in FILTER_NAMES:
                raise BadInput(
                    f"there is no defect {name!r}: name one of {', '.join(FILTER_NAMES)}"
                )
        if self.language not in LANGUAGES:
            raise BadInput(f"unknown language {self.language!r}: one of {', '.join(LANGUAGES)}")
        for bound in (*self.min_score, *filter(None, [self.original_min_score])):
            if not -MAX_SCORE <= bound.value <= MAX_SCORE:
                raise BadInput(f"a score lies between -1 and 1: {bound.value:g} is none")
        if self.best is not None and self.best < 1:
            raise BadInput(
                f"--best is the number of captions that stay, 1 or more: not {self.best}"
            )
        if self.min_agree is not None and not 0 < self.min_agree <= 1:
            raise BadInput(f"--min-agree must be a share above 0, up to 1, not {self.min_agree:g}")
        if self.keep_share is not None and not 0 < self.keep_share <= 1:
            raise BadInput(
                f"--keep-share must be a share above 0, up to 1, not {self.keep_share:g}"
            )
        if not 0 <= self.share_seed <= MAX_SEED:
            raise BadInput(f"--share-seed is a number from 0 to {MAX_SEED}: not {self.share_seed}")
        if self.by is not None and not self.chooses_by_score:
            raise BadInput(
                "--by names the scorer of --best, --keep-share or score<X: give one of these, too"
            )
        if self.share_seed and self.keep_share is None:
            raise BadInput("--share-seed is that of --keep-share: give --keep-share S, too")
        original = self.original_min_score
        unnamed = original is not None and original.scorer is None
        if self.by == RANDOM and (self.best is not None or unnamed):
            chosen = "--best" if self.best is not None else "score<X"
            raise BadInput(
                f"{chosen} chooses by a score, and {RANDOM!r} is no scorer: leave --by out, or"
                " write --by NAME with the name of a scorer (only --keep-share S can draw with"
                f" --by {RANDOM})"
            )

    @classmethod
    def parse(
        cls,
        *,
        without: str | Iterable[str] = (),
        min_score: Iterable[str] = (),
        drop_original_when: str | Iterable[str] = (),
        best: int | None = None,
        min_agree: float | None = None,
        keep_share: float | None = None,
        by: str | None = None,
        language: str = "en",
        share_seed: int = 0,
    ) -> Self:
        """Return the filter of texts as people write them: names with commas between them,
        `NAME=X`, and `contradicted` or `score<X`. Raises `BadInput`."""
        contradicted, original_min_score = parse_original_rules(drop_original_when)
        return cls(
            without=tuple(dict.fromkeys(split_names(without))),
            min_score=tuple(map(parse_bound, min_score)),
            drop_contradicted=contradicted,
            original_min_score=original_min_score,
            best=best,
            min_agree=min_agree,
            keep_share=keep_share,
            by=by,
            language=language,
            share_seed=share_seed,
        )

    def __bool__(self) -> bool:
        """Return True if anything may be left out."""
        return bool(self.arguments())

    @property
    def chooses_by_score(self) -> bool:
        """True if a scorer must be known that is not named at each threshold."""
        unnamed = self.original_min_score is not None and self.original_min_score.scorer is None
        return self.best is not None or self.keep_share is not None or unnamed

    @property
    def needs_agreement(self) -> bool:
        """True if the agreement of captions must be known."""
        return self.min_agree is not None or self.drop_contradicted

    @property
    def needs_originals(self) -> bool:
        """True if originals may be left out."""
        return self.drop_contradicted or self.original_min_score is not None

    @property
    def scorers(self) -> list[str]:
        """The scorers whose scores must be known, once `for_project` has chosen them."""
        bounds = [*self.min_score, *filter(None, [self.original_min_score])]
        names = [bound.scorer for bound in bounds] + [self.by]
        return list(dict.fromkeys(name for name in names if name and name != RANDOM))

    def for_project(self, scorers: Sequence[str], models: int) -> Self:
        """Return the filter with its scorer chosen, for a project with these scorers and so many
        models that caption. Raises `BadInput` for what the project cannot tell."""
        if self.needs_agreement and models < 2:
            raise BadInput(
                "captions agree with those of other models: the project has only one model, so that"
                " --min-agree and 'contradicted' have nothing to compare"
            )
        bounds = [*self.min_score, *filter(None, [self.original_min_score])]
        for name in [bound.scorer for bound in bounds] + [self.by]:
            if name not in (None, RANDOM, *scorers):
                raise BadInput(f"there is no scorer {name!r}: {describe_scorers(scorers)}")
        by = self.by or self.choose_scorer(scorers)
        if by == RANDOM and (self.best is not None or self.original_min_score is not None):
            raise BadInput(f"--best and score<X choose by a score: {describe_scorers(scorers)}")
        bound = self.original_min_score
        if bound is not None and bound.scorer is None:
            bound = bound._replace(scorer=by)
        by = None if self.best is None and self.keep_share is None else by
        return replace(self, by=by, original_min_score=bound)

    def choose_scorer(self, scorers: Sequence[str]) -> str | None:
        """Return the scorer that stands for `by` where it is None. Raises `BadInput`."""
        if not self.chooses_by_score:
            return None
        if len(scorers) > 1:
            raise BadInput(f"name the scorer with --by: {describe_scorers(scorers)}")
        return scorers[0] if scorers else RANDOM

    def arguments(self) -> list[str]:
        """Return the options of `export` that say the same, each with its value, for a shell."""
        words = [f"--without {','.join(self.without)}"] if self.without else []
        if "other_script" in self.without and self.language != "en":
            words.append(f"--language {self.language}")
        words += [
            f"--min-score {quote(f'{bound.scorer}={bound.value}')}" for bound in self.min_score
        ]
        if self.min_agree is not None:
            words.append(f"--min-agree {self.min_agree}")
        if self.best is not None:
            words.append(f"--best {self.best}")
        words += [f"--drop-original-when {CONTRADICTED}"] * self.drop_contradicted
        if self.original_min_score is not None:
            scorer, value = self.original_min_score
            rule = f"{scorer or 'score'}<{value}"
            words.append(f"--drop-original-when {quote(rule)}")
        if self.keep_share is not None:
            words.append(f"--keep-share {self.keep_share}")
        words += [f"--by {quote(self.by)}"] if self.by is not None else []
        words += [f"--share-seed {self.share_seed}"] * (self.share_seed != 0)
        return words


def describe_scorers(scorers: Sequence[str]) -> str:
    """Return which scorers a project has, or how it gets one."""
    if scorers:
        return f"the project has {', '.join(scorers)}"
    return "the project has none; 'add-model PROJECT NAME=score:FOLDER' adds one"


def split_names(texts: str | Iterable[str]) -> list[str]:
    """Return the names in texts that hold several, with commas between them."""
    texts = [texts] if isinstance(texts, str) else texts
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def parse_bound(text: str) -> ScoreBound:
    """Return the bound that `NAME=X` says. Raises `BadInput`."""
    name, equals, number = text.rpartition("=")
    if not equals or not name.strip():
        raise BadInput(f"{text!r} is not a lowest score: write NAME=X, such as clip=0.2")
    return ScoreBound(name.strip(), parse_number(number, text))


def parse_original_rules(texts: str | Iterable[str]) -> tuple[bool, ScoreBound | None]:
    """Return what `contradicted` and `score<X` say. Raises `BadInput`."""
    contradicted, bound = False, None
    for text in split_names(texts):
        match = BELOW.fullmatch(text)
        if text == CONTRADICTED:
            contradicted = True
        elif match is None:
            raise BadInput(
                f"{text!r} does not say when an original is left out: write {CONTRADICTED!r} or"
                " 'score<X', such as score<0.2; if there are several scorers, write the name of one"
                " instead of 'score'"
            )
        elif bound is not None:
            raise BadInput("an original has one lowest score: give 'score<X' once")
        else:
            scorer = None if match[1] == "score" else match[1]
            bound = ScoreBound(scorer, parse_number(match[2], text))
    return contradicted, bound


def parse_number(number: str, text: str) -> float:
    """Return a number that is part of a text. Raises `BadInput`."""
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{text!r}: {number.strip()!r} is not a number")
    return value
