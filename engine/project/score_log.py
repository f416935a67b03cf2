"""The scores of a shard, as the log of a scorer has them, and the score of one caption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from db.rows import ModelRow, ShardRow
from engine.project import log_rows
from engine.project.caption_log import read_if_there
from engine.project.layout import Project
from engine.protocol.caption_row import ScoreRow
from engine.quality.caption_digest import caption_digest

ShardScores = dict[int, dict[str, float]]
"""The scores of a shard's captions, by the index of the record and the digest of the caption."""


def read_scores(project: Project, scorer: ModelRow, shard: ShardRow) -> ShardScores:
    """Return the scores of a shard by one scorer: also of captions that were replaced since.

    A shard that was not scored yet has none. Raises `OSError`.
    """
    data = read_if_there(project.caption_log_file(scorer, shard.number))
    return parse_scores(data, shard.count)


def parse_scores(data: bytes, count: int) -> ShardScores:
    """Return the scores that the bytes of a score log hold; the last one of a caption counts."""
    scores: ShardScores = {}
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        row = log_rows.parse(line, count)
        if isinstance(row, ScoreRow):  # which has finite numbers alone, or it would be none
            scores.setdefault(row.i, {}).update(cast(dict[str, float], row.scores))
    return scores


def score_of(scores: Mapping[int, Mapping[str, float]], i: int, text: str) -> float | None:
    """Return the score of a caption of the record with index `i`; None if it has none."""
    of_record = scores.get(i)
    return None if of_record is None else of_record.get(caption_digest(text))
