"""Refusals: the model says that it cannot or will not caption the image.

Refusals come in ever new wordings, so that no table of phrases holds them. What a text says is
therefore weighed: each of its words, pairs of words and kinds of words that follow each other
(`engine.quality.refusal_features`) has a weight, and the sum is compared with `LEAST_SCORE`. The
weights are those of a logistic regression on examples that were written for it
(`tests.engine.quality.train_refusals`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from functools import cache

from engine.quality.placeholders import is_placeholder
from engine.quality.refusal_features import features_of, unquoted
from engine.quality.refusal_phrases import FOREIGN_CUES, REFUSAL_ELSEWHERE
from engine.quality.refusal_weights import BIAS, WEIGHTS
from engine.quality.refusal_words import CUES, OBJECTS, WEAK_CUES

LEAST_SCORE = 0.05
"""A text that scores more is a refusal: half of a tenth, to which the weights are rounded."""
FEW_WORDS = 8
"""Distinct words of a text up to which a weak cue counts."""
SENTENCE = re.compile(r"[^.!?]{12,200}\.(?=\s+\w)")
"""The first sentence of a text that has more, if it is neither short nor long."""
ANY_CUE = CUES | FOREIGN_CUES
"""One of these words is in every refusal that is found, or, in a short one, one of `WEAK_CUES`."""


def is_refusal(text: str, words: Sequence[str], distinct: frozenset[str]) -> bool:
    """Return True if a model refuses in this text to caption the image.

    `words` are those of the text (`words_of`), `distinct` the same as a set. A placeholder, such
    as "No caption", is no refusal.
    """
    if is_placeholder(words):
        return False
    if has_cue(distinct) and refuses_in_english(text):
        return True
    return (
        not FOREIGN_CUES.isdisjoint(distinct)
        and REFUSAL_ELSEWHERE.match(unquoted(text)) is not None
    )


def refuses_in_english(text: str) -> bool:
    """Return True if a text with a cue weighs as a refusal, or its first sentence does."""
    if score_of(text) > LEAST_SCORE:
        return True
    first = SENTENCE.match(unquoted(text))
    return first is not None and score_of(first[0]) > LEAST_SCORE


def has_cue(distinct: Set[str]) -> bool:
    """Return False for a text with these words that is no refusal in English.

    Most captions are passed by it: the score takes a hundred times as long.
    """
    if not CUES.isdisjoint(distinct):
        return True
    if len(distinct) > FEW_WORDS:
        return False
    return not WEAK_CUES.isdisjoint(distinct) and not OBJECTS.isdisjoint(distinct)


def score_of(text: str) -> float:
    """Return how much speaks for a text being a refusal: its log odds among the examples."""
    weights = weights_of_features()
    return BIAS + sum(weights.get(feature, 0.0) for feature in features_of(text))


def reasons_of(text: str) -> list[tuple[float, str]]:
    """Return the features of a text and their weights, the heaviest for a refusal first."""
    weights = weights_of_features()
    return sorted(((weights.get(it, 0.0), it) for it in features_of(text)), reverse=True)


@cache
def weights_of_features() -> dict[str, float]:
    """Return the weight of each feature that has one."""
    weights: dict[str, float] = {}
    for line in WEIGHTS.strip().splitlines():
        weight, _, features = line.partition(": ")
        weights.update(dict.fromkeys(features.split(), float(weight)))
    return weights
