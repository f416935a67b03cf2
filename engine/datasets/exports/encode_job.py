"""The job of one shard of an export: read its captions, and encode them in the format's form.

Light to import: other processes start with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from engine.datasets.exports.formats import ExportFormat
from engine.datasets.exports.shard_captions import (
    CaptionFilter,
    ExportCounts,
    ExportSource,
    read_shard_captions,
)
from engine.datasets.exports.writers.base import EncodedShard, ExportPlan


class EncodeJob(NamedTuple):
    """One shard to be encoded, by any process."""

    format: ExportFormat
    plan: ExportPlan
    caption_filter: CaptionFilter
    source: ExportSource
    """A source of this one shard (`ExportSource.of_shard`)."""
    out: Path
    """The file or folder that the export is written to."""


def encode_shard(job: EncodeJob) -> tuple[EncodedShard, ExportCounts]:
    """Return the encoded shard, and what was counted on the way. Raises `BadInput`."""
    counts = ExportCounts()
    shard_captions = read_shard_captions(
        job.source, job.source.shards[0], job.caption_filter, counts
    )
    encoded = job.format.encode(job.plan, shard_captions, job.out)
    counts.captions, counts.unfit = encoded.captions, encoded.unfit
    return encoded, counts
