"""Filters by quality whose parts do not go together, which would else do nothing without a word."""

from __future__ import annotations

from engine.quality.quality_filter import RANDOM, QualityFilter
from engine.utils.errors import BadInput


def check_parts(quality: QualityFilter) -> None:
    """Raise `BadInput` for a part of a filter that has no effect, or none that was meant."""
    if quality.share_seed and quality.keep_share is None:
        raise BadInput("--share-seed is that of --keep-share: give --keep-share S, too")
    bound = quality.original_min_score
    if quality.by != RANDOM or (quality.best is None and (bound is None or bound.scorer)):
        return
    chosen = "--best" if quality.best is not None else "score<X"
    raise BadInput(
        f"{chosen} chooses by a score, and {RANDOM!r} is no scorer: leave --by out, or write --by"
        f" NAME with the name of a scorer (only --keep-share S can draw with --by {RANDOM})"
    )
