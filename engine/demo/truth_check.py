"""Finding the claims of a caption about its scene, and checking them. No torch is imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.demo.continuations import BEINGS, COUNTS, CROWDS
from engine.demo.scenes import BACKGROUNDS, COLOURS, SHAPES, Scene


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a caption says about its scene."""

    start: int
    end: int
    """The claim is `caption[start:end]`."""
    text: str
    holds: bool
    """True if the claim is true."""


def either(words: Iterable[str]) -> str:
    """Return a pattern that matches any of the words."""
    # The longest come first, since `left of` is a part of `to the left of`.
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


SHAPE = f"{either(COLOURS)} {either(SHAPES)}"
"""A pattern of any shape with its colour."""
INVERSE_RELATIONS = {
    "above": "below",
    "below": "above",
    "to the left of": "to the right of",
    "to the right of": "to the left of",
}
"""The relation of the second shape to the first, by that of the first to the second."""
RELATION_SYNONYMS = {
    "over": "above",
    "on top of": "above",
    "under": "below",
    "beneath": "below",
    "left of": "to the left of",
    "right of": "to the right of",
}
"""Other words for relations."""
RELATION_PATTERN = re.compile(
    rf"(?P<first>{SHAPE})(?: (?:is|lies|sits|stands|rests))?"
    rf" (?P<relation>{either([*INVERSE_RELATIONS, *RELATION_SYNONYMS])})"
    rf" (?:an?|the) (?P<second>{SHAPE})\b",
    re.IGNORECASE,
)
CLAIM_PATTERNS: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "background": rf"\b(?P<background>{either([*BACKGROUNDS, *COLOURS])}) background\b",
        "size": rf"\b(?P<first>{SHAPE}) is (?P<size>larger|smaller) than the (?P<second>{SHAPE})\b",
        "count": rf"\b(?P<count>{either(['one', *COUNTS])}) shapes\b",
        "third": rf"\balso an? (?:small |large )?{SHAPE}\b",
        "invented": rf"\b{either(['sky', *CROWDS, *BEINGS])}\b",
        "alone": r"\bnothing else\b",
    }.items()
}
"""Patterns of all other claims, by their kind."""


def find_claims(caption: str, scene: Scene) -> list[Claim]:
    """Return the claims that can be checked, in their order, without one that is cut off."""
    return sorted(match_claims(caption, scene), key=lambda claim: claim.start)


def match_claims(caption: str, scene: Scene) -> Iterator[Claim]:
    """Yield the claims, those of one kind after those of another."""
    for match in RELATION_PATTERN.finditer(caption):
        yield Claim(*match.span(), match[0], relation_holds(match, scene))
    for kind, pattern in CLAIM_PATTERNS.items():
        for match in pattern.finditer(caption):
            yield Claim(*match.span(), match[0], claim_holds(kind, match, scene))


def relation_holds(match: re.Match[str], scene: Scene) -> bool:
    """Return True if the shapes lie as a match of `RELATION_PATTERN` says."""
    phrase = match["relation"].lower()
    relation = RELATION_SYNONYMS.get(phrase, phrase)
    claimed = (match["first"].lower(), match["second"].lower())
    names = (scene.first.name, scene.second.name)
    return (claimed, relation) in (
        (names, scene.relation),
        (names[::-1], INVERSE_RELATIONS[scene.relation]),
    )


def claim_holds(kind: str, match: re.Match[str], scene: Scene) -> bool:
    """Return True if a match of the pattern of this kind in `CLAIM_PATTERNS` is true."""
    if kind == "background":
        return match["background"].lower() == scene.background
    if kind == "count":
        return match["count"].lower() == "two"
    if kind == "size":
        radii = {shape.name: shape.radius for shape in (scene.first, scene.second)}
        first, second = (radii.get(match[name].lower()) for name in ("first", "second"))
        if first is None or second is None:
            return False
        return (first > second) == (match["size"].lower() == "larger")
    # There never is a third shape or anything else, so `third` and `invented` are wrong.
    return kind == "alone"


def describes(caption: str, scene: Scene) -> bool:
    """Return True if a caption names both shapes, their colours and how they lie, all correctly.

    A background, if the caption names one, must be right, too. The inverse relation is as good: "a
    blue square below a red circle". Other claims do not count.
    """
    relations = list(RELATION_PATTERN.finditer(caption))
    backgrounds = CLAIM_PATTERNS["background"].finditer(caption)
    return (
        bool(relations)
        and all(relation_holds(match, scene) for match in relations)
        and all(claim_holds("background", match, scene) for match in backgrounds)
    )
