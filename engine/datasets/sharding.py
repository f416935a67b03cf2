"""Shards: the records of the inputs are cut into files of one record per line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from db.rows import ShardRow
from engine.datasets.inputs.batch import RecordBatch, regroup

DEFAULT_SHARD_SIZE = 10_000
"""Records of a shard, unless a person says otherwise."""

SHARDS_PER_DEVICE = 8
"""Shards that each device should get of every model: with fewer, devices have nothing left to do
while the last shards are captioned."""
LEAST_SHARD_SIZE = 500
"""Records of a shard that is proposed, at least: each one costs a file, a task and an end at which
batches are not full."""


def suitable_shard_size(records: int, devices: int) -> int:
    """Return how many records a shard should have: fewer than `DEFAULT_SHARD_SIZE` where that would
    give the devices too few shards. It is a multiple of 100."""
    wanted = -(-records // max(1, devices * SHARDS_PER_DEVICE))
    size = max(LEAST_SHARD_SIZE, -(-wanted // 100) * 100)
    return DEFAULT_SHARD_SIZE if size >= records else min(DEFAULT_SHARD_SIZE, size)


def even_sizes(records: int, shards: int) -> Iterator[int]:
    """Yield the sizes of `shards` shards: they differ by one at most, the larger ones first."""
    size, larger = divmod(records, shards)
    yield from (size + (number < larger) for number in range(shards))


def write_shards(
    batches: Iterable[RecordBatch],
    sizes: Iterable[int],
    shard_file: Callable[[int], Path],
    on_batch: Callable[[int, RecordBatch], None] = lambda first, batch: None,
) -> list[ShardRow]:
    """Write shards of these sizes until the records end, and return their rows.

    `shard_file` returns the path of the shard with a number. `on_batch` is called with every batch
    and the record id of its first record. Raises `BadInput`, `OSError`.
    """
    shards: list[ShardRow] = []
    first = 0
    for number, group in enumerate(regroup(iter(batches), iter(sizes))):
        shard = write_shard(group, number, first, shard_file(number), on_batch)
        shards.append(shard)
        first += shard.count
    return shards


def write_shard(
    batches: Iterator[RecordBatch],
    number: int,
    first: int,
    path: Path,
    on_batch: Callable[[int, RecordBatch], None],
) -> ShardRow:
    """Write one shard, whose first record has the record id `first`."""
    digest = hashlib.blake2b(digest_size=16)
    count = written = 0
    with path.open("wb") as file:
        for batch in batches:
            on_batch(first + count, batch)
            data = b"\n".join(batch.lines) + b"\n"
            digest.update(data)
            file.write(data)
            count += len(batch)
            written += len(data)
    return ShardRow(
        number=number, first=first, count=count, bytes=written, digest=digest.hexdigest()
    )
