"""What the captions of an image say of its original caption, without the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from engine.quality.facts import names_of
from engine.quality.word_evidence import COLOUR_STEMS, EVIDENCE, OTHER_WORDS, SHAPE_STEMS, SHAPES
from engine.quality.word_kinds import stem_of

OriginalVerdict = Literal["contradicted", "supported"]
"""What the captions of the models say of the original caption."""
NEEDED = 1.25
"""Evidence from which on an original is supported: one that shares nothing with the captions is
contradicted. If more is needed, more wrong originals are found, and more right ones contradicted.
"""


def judge_original(
    original: str, stems: Sequence[str], votes: Mapping[str, int], captions: int
) -> OriginalVerdict | None:
    """Return whether so many captions support an original with these stems, in their order.

    `votes` has how many captions make each statement. Each distinct stem adds its evidence. Names
    that no caption has do not count, since they cannot be seen.
    """
    words = set(stems)
    said = words & votes.keys()
    if said != words:
        words -= set(map(stem_of, names_of(original))) - said
    if not words:
        return None
    said -= words_of_other_colours(stems, votes)
    evidence = 0.0
    for word in words:
        weights = EVIDENCE.get(word, OTHER_WORDS)
        if word in said:
            evidence += weights.by_half if 2 * votes[word] >= captions else weights.by_few
        elif weights is SHAPES and SHAPE_STEMS.isdisjoint(votes):
            evidence += OTHER_WORDS.unsaid
        else:
            evidence += weights.unsaid
    return "supported" if evidence >= NEEDED else "contradicted"


def words_of_other_colours(stems: Sequence[str], votes: Mapping[str, int]) -> set[str]:
    """Return the words of an original for things of which captions say another colour, and for the
    colours that it says: "red star", if captions have a blue star and a red circle."""
    found: set[str] = set()
    for colour, thing in pairwise(stems):
        if (
            colour in COLOUR_STEMS
            and thing in votes
            and f"{colour} {thing}" not in votes
            and any([f"{other} {thing}" in votes for other in COLOUR_STEMS])
        ):
            found.update((colour, thing))
    return found
