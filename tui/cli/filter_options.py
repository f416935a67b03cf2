"""The options that filter captions by quality."""

from __future__ import annotations

from functools import wraps
from typing import Any

import click

from engine.utils.errors import BadInput

OPTIONS = (
    click.option(
        "--without",
        multiple=True,
        metavar="NAMES",
        help="Leave out captions with these defects, named as by 'quality': loops,leaks,... For"
        " sentences that the token cap cut, use --only-finished, not truncated.",
    ),
    click.option(
        "--language",
        default="en",
        metavar="CODE",
        help="The language that captions should have (en), for other_script.",
    ),
    click.option(
        "--min-score",
        multiple=True,
        metavar="NAME=X",
        help="Leave out captions whose score by the scorer NAME is below X.",
    ),
    click.option(
        "--min-agree",
        type=float,
        metavar="N",
        help="Leave out captions whose support by the other models is below N (above 0, up to 1).",
    ),
    click.option(
        "--best",
        type=int,
        metavar="K",
        help="Keep only the K captions of each image that have the highest scores.",
    ),
    click.option(
        "--drop-original-when",
        multiple=True,
        metavar="RULE",
        help="Leave out originals: 'contradicted' if the captions contradict them, or 'score<X'.",
    ),
    click.option(
        "--keep-share",
        type=float,
        metavar="S",
        help="Keep the share S (above 0, up to 1) with the highest scores; without scores, a random"
        " share.",
    ),
    click.option(
        "--by",
        metavar="NAME",
        help="The scorer for --best, --keep-share and score<X; 'random' has --keep-share draw.",
    ),
    click.option(
        "--share-seed",
        type=int,
        default=0,
        metavar="N",
        help="Seed with which --keep-share draws (0).",
    ),
)


def filter_options(command: Any) -> Any:
    """Add the options that filter by quality; the command gets them as `quality`."""

    @wraps(command)
    def with_filter(
        *args: Any,
        without: tuple[str, ...],
        language: str,
        min_score: tuple[str, ...],
        min_agree: float | None,
        best: int | None,
        drop_original_when: tuple[str, ...],
        keep_share: float | None,
        by: str | None,
        share_seed: int,
        **others: Any,
    ) -> Any:
        from engine.quality.quality_filter import QualityFilter

        if not all(map(str.strip, without)):
            raise BadInput("--without names no defect: write, for example, --without loops,leaks")
        quality = QualityFilter.parse(
            without=without,
            language=language,
            min_score=min_score,
            min_agree=min_agree,
            best=best,
            drop_original_when=drop_original_when,
            keep_share=keep_share,
            by=by,
            share_seed=share_seed,
        )
        return command(*args, quality=quality, **others)

    for option in reversed(OPTIONS):
        with_filter = option(with_filter)
    return with_filter
