"""The job of one shard of an export: read its captions, and encode them in the format's form.

Light to import: other processes start with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.formats import ExportFormat
from engine.datasets.exports.shard_captions import (
    CaptionColumn,
    CaptionFilter,
    ExportSource,
    read_shard_captions,
)
from engine.datasets.exports.verdicts import ShardVerdicts, drop_left_out
from engine.datasets.exports.writers.base import EncodedShard, ExportPlan, columns_of


class EncodeJob(NamedTuple):
    """One shard to be encoded, by any process."""

    format: ExportFormat
    plan: ExportPlan
    caption_filter: CaptionFilter
    source: ExportSource
    """A source of this one shard (`ExportSource.of_shard`)."""
    out: Path
    """The file or folder that the export is written to."""
    verdicts: ShardVerdicts | None = None
    """Which captions the filters by quality leave; None leaves all."""


def encode_shard(job: EncodeJob) -> tuple[EncodedShard, ExportCounts]:
    """Return the encoded shard, and what was counted on the way; it adds up. Raises `BadInput`."""
    counts = ExportCounts()
    shard_captions = read_shard_captions(
        job.source, job.source.shards[0], job.caption_filter, counts
    )
    columns = columns_of(job.plan, shard_captions)
    if job.verdicts is not None:
        drop_left_out(job.verdicts, columns, counts)
        if shard_captions.images:
            shard_captions = replace(shard_captions, quality=quality_of(job))
    captioned, captions = count_captioned(columns), count_captions(columns)
    encoded = job.format.encode(job.plan, shard_captions, job.out)
    counts.images = captioned if encoded.images is None else encoded.images
    counts.unchosen_images, counts.unchosen = encoded.unchosen_images, encoded.unchosen
    counts.unfit = captioned - counts.images - encoded.unchosen_images
    counts.uncaptioned = counts.records - captioned - counts.unwanted_images
    counts.captions = encoded.captions
    counts.unfit_captions = captions - encoded.captions - encoded.unchosen
    return encoded, counts


def quality_of(job: EncodeJob) -> list[dict[str, Any]]:
    """Return the values of the columns of quality of each record, if those are written."""
    if job.verdicts is None or job.verdicts.facts is None:
        return []
    from engine.datasets.exports.quality_columns import quality_values  # which imports numpy

    source = job.source
    return quality_values(job.verdicts.facts, source.shards[0], source.models, source.caption_flags)


def count_captioned(columns: Sequence[CaptionColumn]) -> int:
    """Return how many records have a caption in any of the columns."""
    if any(None not in column for column in columns):
        return len(columns[0])
    return sum(any(captions) for captions in zip(*columns, strict=True))


def count_captions(columns: Sequence[CaptionColumn]) -> int:
    """Return how many captions the columns have."""
    return sum(len(column) - column.count(None) for column in columns)
