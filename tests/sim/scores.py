"""What a simulated scorer says, and what must hold of its logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from engine.project import log_rows
from engine.protocol.caption_row import ScoreRow
from tests.support.fake_scorer import FAMILY, fake_score

Scored = tuple[int, str]
"""The index of a record and the digest of one of its captions."""


def is_scorer(family: str) -> bool:
    """Return True if models of this family score captions."""
    return family == FAMILY.name


def score_row(i: int, texts: Mapping[str, str]) -> ScoreRow:
    """Return what a scorer says of a record with these captions, by their digests."""
    return ScoreRow(i, {digest: fake_score(digest) for digest in texts})


def scored(data: bytes, count: int) -> Counter[Scored]:
    """Return how often a log has a score of each caption."""
    rows = (log_rows.parse(line, count) for line in data[: data.rfind(b"\n") + 1].splitlines())
    return Counter(
        (row.i, digest) for row in rows if isinstance(row, ScoreRow) for digest in row.scores
    )


def wrong_scores(data: bytes, count: int) -> Iterator[str]:
    """Yield a text for each score of a log that is not the caption's."""
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        row = log_rows.parse(line, count)
        if isinstance(row, ScoreRow):
            for digest, score in row.scores.items():
                if score != fake_score(digest):
                    yield f"record {row.i} has the score {score} of {digest}"
