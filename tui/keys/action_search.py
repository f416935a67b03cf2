"""Finds actions by what a person types into the command palette."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME, TEXT, SYNONYM = 4, 2, 1
"""How much a word counts that is found in the label of an action, its text, its synonyms."""
EXACT = 2
"""How much more a word counts that is found as it was typed."""
SHORTEST_STEM = 3
"""Letters of a word that a longer one may begin with: `stop` is found by `stopping`."""
FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a all an and are at by can did do does for from get how i in into is it its me my of on"
        " one please see show so that the this to want what where which with",
    )
)
"""Words of a sentence that say nothing of what is wanted."""


@dataclass(frozen=True, kw_only=True)
class Searchable:
    """The texts of an action that are searched."""

    name: str
    """Its label."""
    text: str
    synonyms: str = ""

    def weight(self, wanted: str) -> int:
        """Return how much it counts that a word is found; 0 if it is not."""
        for text, weight in ((self.name, NAME), (self.text, TEXT), (self.synonyms, SYNONYM)):
            found = words(text)
            if wanted in found:
                return EXACT * weight
            if any(begins_alike(word, wanted) for word in found):
                return weight
        return 0


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return re.findall(r"\w+", text.lower().replace("_", " "))


def begins_alike(word: str, wanted: str) -> bool:
    """Return True if a word begins with what is typed, or the other way round."""
    return word.startswith(wanted) or (len(word) >= SHORTEST_STEM and wanted.startswith(word))


def rank(query: str, actions: list[Searchable]) -> dict[int, int]:
    """Return the weights of the actions that match most words of `query`, by their place.

    Nothing is returned if no word is found. A query of filler words alone is searched as it is.
    """
    typed = words(query)
    wanted = [word for word in typed if word not in FILLERS] or typed
    weights = {
        place: [weight for word in wanted if (weight := action.weight(word))]
        for place, action in enumerate(actions)
    }
    most = max(map(len, weights.values()), default=0)
    return {place: sum(found) for place, found in weights.items() if most and len(found) == most}
