"""How many captions of each model people called good, and bad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from db.rows import CaptionKey, Rating


class RatingCount(NamedTuple):
    """Captions of one model that are rated."""

    good: int
    bad: int

    @property
    def rated(self) -> int:
        return self.good + self.bad

    @property
    def share(self) -> float | None:
        """The share of the rated captions that are good, from 0 to 1; None if none is rated."""
        return self.good / self.rated if self.rated else None


NOT_RATED = RatingCount(0, 0)


def count_ratings(ratings: Mapping[CaptionKey, Rating]) -> dict[int, RatingCount]:
    """Return the counts by the id of the model, of those that have a rated caption."""
    counts: dict[int, RatingCount] = {}
    for (_, _, model_id), rating in ratings.items():
        good, bad = counts.get(model_id, NOT_RATED)
        counts[model_id] = RatingCount(good + rating.good, bad + (not rating.good))
    return counts
