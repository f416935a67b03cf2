"""What a simulated scorer says, what must hold of its logs, and of what is shown of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from db.rows import ModelRow, ShardRow, TaskRow
from engine.project import log_rows
from engine.project.layout import Project
from engine.project.log_rows import LogContents
from engine.project.shard_comparison import ComparisonJob, compare_shard
from engine.protocol.caption_row import ScoreRow
from engine.quality.caption_digest import caption_digest
from engine.quality.comparison import unpack
from engine.shearing.shear import Shearing
from tests.sim.naming import ORIGINAL, WORD_LIMITS, texts_of
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


def present_texts(captions: Iterable[str], max_words: int | None) -> set[str]:
    """Return the digests of what a record has to be scored: its original and these captions."""
    texts = {ORIGINAL}.union(*(texts_of(raw, max_words) for raw in captions))
    return set(map(caption_digest, texts))


def texts_ever(captions: Collection[str]) -> set[str]:
    """Return the digests of all texts that these captions may have been sheared to, and of them."""
    return set[str]().union(*(present_texts(captions, most) for most in WORD_LIMITS))


def lacking_scores(
    logs: Iterable[tuple[TaskRow, ModelRow, LogContents]], max_words: int | None
) -> Iterator[str]:
    """Yield a text for each record of a shard that a scorer's done task has not scored whole.

    `logs` are those of all tasks of the shard. A record that the scorer failed needs no score.
    """
    logs = list(logs)
    captions = [log.captions for _, model, log in logs if not is_scorer(model.family)]
    for task, model, log in logs:
        if is_scorer(model.family) and task.state == "done":
            for i in set(range(task.count)) - log.errors.keys():
                raw = [rows[i].raw for rows in captions if i in rows]
                if lacking := present_texts(raw, max_words) - log.scores.get(i, {}).keys():
                    yield f"record {task.id}/{i} is done and lacks scores: {sorted(lacking)}"


def wrongly_shown(
    project: Project,
    scorer: ModelRow,
    models: Iterable[ModelRow],
    shard: ShardRow,
    captions: Mapping[str, Mapping[int, str | None]],
) -> Iterator[str]:
    """Yield a text for each caption that the product shows with another score than its own.

    `captions` are the raw ones that the log of each captioner has now, None where it has none, by
    the indexes of the records that the scorer can read.
    """
    job = ComparisonJob(
        shard=shard,
        shard_file=project.shard_file(shard.number),
        logs={m.name: (project.caption_log_file(m, shard.number), m.family) for m in models},
        scorers={scorer.name: project.caption_log_file(scorer, shard.number)},
        shearing=Shearing(),
        sampled=False,
        save=False,
    )
    comparison = compare_shard(job)
    for name, texts in captions.items():
        raw = unpack(comparison.raw_scores[scorer.name][name])
        sheared = unpack(comparison.sheared_scores[scorer.name][name])
        for i, text in texts.items():
            own = [math.nan] * 2
            if text is not None:
                own = [fake_score(caption_digest(each)) for each in (text, text.rstrip("."))]
            if not np.allclose([raw[i], sheared[i]], own, rtol=1e-6, equal_nan=True):
                yield f"the captions of {name} {shard.number}:{i} have other scores than theirs"
