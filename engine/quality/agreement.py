"""Agreement: which captions of an image the others support, without knowing what is in the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.quality.words import content_words, words_of

OriginalVerdict = Literal["contradicted", "supported"]
"""What the captions of the models say of the original caption."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the captions of one image agree."""

    support: dict[str, float | None]
    """How far the others support the caption of each model, from 0 to 1; None where there is
    nothing to compare: no other caption, or no words."""
    original: OriginalVerdict | None
    """What the captions say of the original; None where there is nothing to compare."""


def agreement_of(original: str | None, captions: Mapping[str, str]) -> Agreement:
    """Return the agreement between the sheared captions of one image, by the name of their model.

    `original` is the original caption, None if the image has none.
    """
    words = {model: content_words(frozenset(words_of(text))) for model, text in captions.items()}
    words = {model: found for model, found in words.items() if found}
    support: dict[str, float | None] = dict.fromkeys(captions)
    for model, own in words.items():
        others = [found for name, found in words.items() if name != model]
        if others:
            support[model] = sum(len(own & found) for found in others) / (len(own) * len(others))
    stated = content_words(frozenset(words_of(original or "")))
    if not stated or not words:
        return Agreement(support, None)
    supported = any(stated & found for found in words.values())
    return Agreement(support, "supported" if supported else "contradicted")
