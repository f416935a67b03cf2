"""Cutting records into contiguous shards of one record a line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from db.rows import ShardRow
from engine.datasets.inputs.batch import Batch, resized

DEFAULT_SHARD = 10_000


def even_sizes(records: int, shards: int) -> Iterator[int]:
    """`shards` sizes that differ by one at most, the larger ones first."""
    size, larger = divmod(records, shards)
    yield from (size + (number < larger) for number in range(shards))


def write_shards(
    batches: Iterable[Batch],
    sizes: Iterable[int],
    shard_file: Callable[[int], Path],
    look: Callable[[int, Batch], None] = lambda place, batch: None,
) -> list[ShardRow]:
    """Writes shards of these sizes until the records end; `look` sees every batch and its place."""
    shards: list[ShardRow] = []
    first = 0
    for number, group in enumerate(resized(iter(batches), iter(sizes))):
        shard = write_shard(group, number, first, shard_file(number), look)
        shards.append(shard)
        first += shard.count
    return shards


def write_shard(
    batches: Iterator[Batch],
    number: int,
    first: int,
    path: Path,
    look: Callable[[int, Batch], None],
) -> ShardRow:
    digest = hashlib.blake2b(digest_size=16)
    count = written = 0
    with path.open("wb") as file:
        for batch in batches:
            look(first + count, batch)
            data = b"\n".join(batch.lines) + b"\n"
            digest.update(data)
            file.write(data)
            count += len(batch)
            written += len(data)
    return ShardRow(number, first, count, written, digest.hexdigest())
