"""The records of a shard that every arm can use, and their captions.

Light to import, without the database: other processes start with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from db.rows import ShardRow
from engine.datasets.exports.counts import ExportCounts
from engine.datasets.exports.shard_captions import (
    CaptionColumn,
    CaptionFilter,
    ExportSource,
    read_shard_captions,
)
from engine.datasets.exports.writers import wds
from engine.datasets.exports.writers.base import ORIGINAL
from engine.utils import jsonlines

Captions = dict[str, str]
"""The captions of an image by whose they are: `original`, or the name of a model."""


class RecordsJob(NamedTuple):
    """One shard to be read, by any process."""

    source: ExportSource
    """A source of this one shard (`ExportSource.of_shard`)."""
    columns: tuple[str, ...]
    """Whose captions a record must have."""
    raw: bool
    """True if the raw captions are needed besides the sheared ones."""


@dataclass(frozen=True, slots=True)
class ShardRecords:
    """The records of a shard that have every caption that is needed; the lists are as long."""

    indices: list[int]
    images: list[str]
    """The image paths, as the input writes them."""
    sheared: list[Captions]
    raw: list[Captions]
    """The captions before shearing; empty unless they are needed. Originals are the same."""


class Candidates(NamedTuple):
    """The complete records of a shard without their captions, and what the shard was counted to."""

    order: NDArray[np.uint64]
    """A digest of each record's image path, by which they are drawn, of the shape (records,)."""
    indices: NDArray[np.int32]
    """Their indices, of the shape (records,)."""
    counts: ExportCounts


def find_candidates(job: RecordsJob) -> Candidates:
    """Return the complete records of a shard. Raises `OSError`."""
    counts = ExportCounts()
    records = read_complete(job, counts)
    order = np.fromiter(map(path_digest, records.images), np.uint64, len(records.images))
    return Candidates(order, np.array(records.indices, np.int32), counts)


def path_digest(image: str) -> int:
    """Return 64 bits that stand for an image path."""
    digest = hashlib.blake2b(image.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def read_complete(job: RecordsJob, counts: ExportCounts) -> ShardRecords:
    """Return the complete records of a shard, and count the shard's records. Raises `OSError`."""
    shard = job.source.shards[0]
    images, sheared = read_columns(job, shard, raw=False, counts=counts)
    _, raw = read_columns(job, shard, raw=True, counts=ExportCounts()) if job.raw else ([], [])
    indices = [
        i
        for i in range(len(images))
        if all(map(fits, sheared[i])) and (not raw or all(map(fits, raw[i])))
    ]
    return ShardRecords(
        indices=indices,
        images=[images[i] for i in indices],
        sheared=[by_column(job.columns, sheared[i]) for i in indices],
        raw=[by_column(job.columns, raw[i]) for i in indices] if raw else [],
    )


def by_column(columns: Sequence[str], texts: Sequence[str | None]) -> Captions:
    """Return the captions of a record by whose they are."""
    return {column: text for column, text in zip(columns, texts, strict=True) if text}


def fits(text: str | None) -> bool:
    """Return True if there is a caption that open_clip trains on as it is."""
    return bool(text) and wds.fits(text or "")


def read_columns(
    job: RecordsJob, shard: ShardRow, raw: bool, counts: ExportCounts
) -> tuple[list[str], list[tuple[str | None, ...]]]:
    """Return the image paths of a shard, and the captions of each record in the job's order."""
    caption_filter = CaptionFilter(with_originals=ORIGINAL in job.columns, raw=raw)
    captions = read_shard_captions(job.source, shard, caption_filter, counts)
    models = [model.name for model in job.source.models]
    by_name: dict[str, CaptionColumn] = {ORIGINAL: captions.originals}
    by_name |= zip(models, captions.columns, strict=True)
    columns = [
        [None if text is None else jsonlines.loads(text) for text in by_name[name]]
        for name in job.columns
    ]
    return captions.images, list(zip(*columns, strict=True))
