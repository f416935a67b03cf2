"""What a caption claims about a scene, and whether it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.demo.continuations import BEINGS, COUNTS, CROWDS
from engine.demo.scenes import BACKGROUNDS, COLOURS, SHAPES, Scene


@dataclass(frozen=True, slots=True)
class Claim:
    """What a caption says in `text[start:end]`, and whether it holds."""

    start: int
    end: int
    text: str
    holds: bool


def either(words: Iterable[str]) -> str:
    """The longest first: `left of` stands within `to the left of`."""
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


THING = f"{either(COLOURS)} {either(SHAPES)}"
INVERSE = {
    "above": "below",
    "below": "above",
    "to the left of": "to the right of",
    "to the right of": "to the left of",
}
SYNONYMS = {
    "over": "above",
    "on top of": "above",
    "under": "below",
    "beneath": "below",
    "left of": "to the left of",
    "right of": "to the right of",
}
RELATION = re.compile(
    rf"(?P<first>{THING})(?: (?:is|lies|sits|stands|rests))?"
    rf" (?P<relation>{either([*INVERSE, *SYNONYMS])})"
    rf" (?:an?|the) (?P<second>{THING})\b",
    re.IGNORECASE,
)
PATTERNS: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "background": rf"\b(?P<background>{either([*BACKGROUNDS, *COLOURS])}) background\b",
        "size": rf"\b(?P<first>{THING}) is (?P<size>larger|smaller) than the (?P<second>{THING})\b",
        "count": rf"\b(?P<count>{either(['one', *COUNTS])}) shapes\b",
        "third": rf"\balso an? (?:small |large )?{THING}\b",
        "invented": rf"\b{either(['sky', *CROWDS, *BEINGS])}\b",
        "alone": r"\bnothing else\b",
    }.items()
}


def claims(caption: str, scene: Scene) -> list[Claim]:
    """Everything in a caption that can be checked, in its order; what is cut off is no claim."""
    return sorted(find_claims(caption, scene), key=lambda claim: claim.start)


def find_claims(caption: str, scene: Scene) -> Iterator[Claim]:
    for match in RELATION.finditer(caption):
        yield Claim(*match.span(), match[0], relates(match, scene))
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(caption):
            yield Claim(*match.span(), match[0], holds(kind, match, scene))


def relates(match: re.Match[str], scene: Scene) -> bool:
    said = match["relation"].lower()
    relation = SYNONYMS.get(said, said)
    things = (match["first"].lower(), match["second"].lower())
    names = (scene.first.name, scene.second.name)
    return (things, relation) in (
        (names, scene.relation),
        (names[::-1], INVERSE[scene.relation]),
    )


def holds(kind: str, match: re.Match[str], scene: Scene) -> bool:
    if kind == "background":
        return match["background"].lower() == scene.background
    if kind == "count":
        return match["count"].lower() == "two"
    if kind == "size":
        radii = {thing.name: thing.radius for thing in (scene.first, scene.second)}
        first, second = (radii.get(match[name].lower()) for name in ("first", "second"))
        if first is None or second is None:
            return False
        return (first > second) == (match["size"].lower() == "larger")
    return kind == "alone"


def describes(caption: str, scene: Scene) -> bool:
    """Both things, their colours and how they lie are right; a background, if named, too.

    The inverse is as good: "a blue square below a red circle". Other claims are not looked at.
    """
    relations = list(RELATION.finditer(caption))
    backgrounds = PATTERNS["background"].finditer(caption)
    return (
        bool(relations)
        and all(relates(match, scene) for match in relations)
        and all(holds("background", match, scene) for match in backgrounds)
    )


def mistakes(caption: str, scene: Scene) -> list[Claim]:
    """The claims that do not hold."""
    return [claim for claim in claims(caption, scene) if not claim.holds]
