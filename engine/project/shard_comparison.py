"""The comparison of a shard's captions, which is kept beside the shard file.

It is a function of the logs of all models, the shard file and the settings of shearing, and may be
deleted at any time. It is made anew when one of these has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from db.rows import ShardRow
from engine.project.caption_log import read_if_there
from engine.project.score_log import ShardScores, parse_scores, score_of
from engine.project.scored_texts import captions_of, original_captions
from engine.quality.agreement import agreement_of
from engine.quality.comparison import ORIGINAL, ShardComparison, pack
from engine.shearing.shear import Shearing
from engine.utils import plain_files

DEFINITIONS = 9
"""Raised when agreement is defined in another way, so that no older comparison is believed."""
DIGEST_BYTES = 16

Texts = Sequence[str | None]
"""A text of each record, None where there is none."""


class ComparisonJob(NamedTuple):
    """One shard whose captions are to be compared."""

    shard: ShardRow
    shard_file: Path
    logs: Mapping[str, tuple[Path, str]]
    """The caption log of each model that captions, with the model's family."""
    scorers: Mapping[str, Path]
    """The log of each scorer."""
    shearing: Shearing
    sampled: bool
    """True if raw captions are compared, too."""
    save: bool
    """True if the comparison is kept."""


def compare_shard(job: ComparisonJob) -> ShardComparison:
    """Return the comparison that is kept, or make it. Raises `OSError`.

    Without a scorer and without two models there is nothing to compare.
    """
    if len(job.logs) < 2 and not job.scorers:
        return ShardComparison({}, {}, [], {}, {})
    path = job.shard_file.with_name(f"{job.shard_file.stem}.compared.msgpack")
    state = state_of(job)
    comparison = read_comparison(path, state, job.shard.count)
    if comparison is None:
        comparison = make_comparison(job)
        if job.save:
            with suppress(OSError), plain_files.replacing(path, sync=False) as file:
                body = msgspec.msgpack.encode(comparison)
                file.write(digest_of(body, state) + body)
    return comparison


def read_comparison(path: Path, state: bytes, records: int) -> ShardComparison | None:
    """Return the comparison that was made of this state; None if there is none, or a damaged one.

    Raises `OSError`.
    """
    data = read_if_there(path)
    body = data[DIGEST_BYTES:]
    if data[:DIGEST_BYTES] != digest_of(body, state):
        return None
    with suppress(msgspec.MsgspecError, RecursionError):
        comparison = msgspec.msgpack.decode(body, type=ShardComparison)
        return comparison if comparison.fits(records) else None
    return None


def digest_of(body: bytes, state: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES, key=state).digest()


def state_of(job: ComparisonJob) -> bytes:
    """Return a digest of everything that a comparison depends on."""
    logs = [(name, family, *stamp(log)) for name, (log, family) in job.logs.items()]
    scorers = [(name, *stamp(log)) for name, log in job.scorers.items()]
    text = json.dumps(
        [DEFINITIONS, job.shard.digest, job.shearing.hash(""), job.sampled, logs, scorers]
    )
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def stamp(log: Path) -> tuple[int, int]:
    """Return the size of a file, and when it changed; zeros if there is none."""
    try:
        status = plain_files.status(log)
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def make_comparison(job: ComparisonJob) -> ShardComparison:
    """Compare the captions as the logs have them now. Raises `OSError`."""
    count = job.shard.count
    originals: Texts = original_captions(job.shard_file, job.shard) or [None] * count
    raw: dict[str, Texts] = {ORIGINAL: originals}
    sheared: dict[str, Texts] = {ORIGINAL: originals}
    for name, (log, family) in job.logs.items():
        raw[name], sheared[name] = captions_of(log, count, family, job.shearing)
    raw_scores, sheared_scores = {}, {}
    for scorer, log in job.scorers.items():
        scores = parse_scores(read_if_there(log), count)
        raw_scores[scorer] = {name: scores_of(scores, texts) for name, texts in raw.items()}
        sheared_scores[scorer] = {name: scores_of(scores, texts) for name, texts in sheared.items()}
    support, contradicted = support_of(originals, {name: sheared[name] for name in job.logs})
    raw_support: dict[str, bytes] = {}
    if job.sampled:
        raw_support, _ = support_of(originals, {name: raw[name] for name in job.logs})
    return ShardComparison(support, raw_support, contradicted, raw_scores, sheared_scores)


def scores_of(scores: ShardScores, texts: Texts) -> bytes:
    """Return the score of each text."""
    return pack(
        [None if text is None else score_of(scores, i, text) for i, text in enumerate(texts)]
    )


def support_of(originals: Texts, models: Mapping[str, Texts]) -> tuple[dict[str, bytes], list[int]]:
    """Return how far each caption is supported by those of the other models, and the indices of
    originals that none supports."""
    if len(models) < 2:
        return {}, []
    values: dict[str, list[float | None]] = {name: [] for name in [ORIGINAL, *models]}
    contradicted = []
    for i, (original, *texts) in enumerate(zip(originals, *models.values(), strict=True)):
        said = {name: text for name, text in zip(models, texts, strict=True) if text is not None}
        agreement = agreement_of(original, said)
        support = agreement.support | {ORIGINAL: agreement.original_support}
        for name, of_model in values.items():
            of_model.append(support.get(name))
        if agreement.original == "contradicted":
            contradicted.append(i)
    return {name: pack(of_model) for name, of_model in values.items()}, contradicted
