"""One shard in the form that an export writes. Light to import: other processes start with it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.datasets.exports.formats import Format
from engine.datasets.exports.shard_captions import CaptionFilter, Source, Tally, read_columns
from engine.datasets.exports.writers.base import Encoded, Plan


class Job(NamedTuple):
    """One shard to be encoded, on any core."""

    form: Format
    plan: Plan
    wanted: CaptionFilter
    source: Source
    out: Path


def encode(job: Job) -> tuple[Encoded, Tally]:
    tally = Tally()
    part = read_columns(job.source, job.source.shards[0], job.wanted, tally)
    encoded = job.form.encode(job.plan, part, job.out)
    tally.captions, tally.unfit = encoded.captions, encoded.unfit
    return encoded, tally
