"""Cutting records into contiguous shards of one record a line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from db.rows import ShardRow
from engine.datasets.reading import Record

WRITE_RECORDS = 4096
DEFAULT_SHARD = 10_000


def even_sizes(records: int, shards: int) -> Iterator[int]:
    """`shards` sizes that differ by one at most, the larger ones first."""
    size, larger = divmod(records, shards)
    yield from (size + (number < larger) for number in range(shards))


def write_shards(
    records: Iterable[Record],
    sizes: Iterable[int],
    shard_file: Callable[[int], Path],
    look: Callable[[int, Record], None] = lambda place, record: None,
) -> list[ShardRow]:
    """Writes shards of these sizes until the records end; `look` sees every record."""
    stream = enumerate(records)
    shards: list[ShardRow] = []
    first = 0
    for number, size in enumerate(sizes):
        shard = write_shard(islice(stream, size), number, first, shard_file(number), look)
        if shard is None:
            break
        shards.append(shard)
        first += shard.count
    return shards


def write_shard(
    records: Iterator[tuple[int, Record]],
    number: int,
    first: int,
    path: Path,
    look: Callable[[int, Record], None],
) -> ShardRow | None:
    """None, and no file, if there are no records left."""
    head = next(records, None)
    if head is None:
        return None
    digest = hashlib.blake2b(digest_size=16)
    count = written = 0
    with path.open("wb") as file:
        pending = [head]
        while pending:
            for place, record in pending:
                look(place, record)
            data = "".join(f"{record.text}\n" for _, record in pending).encode(
                "utf-8", "surrogatepass"
            )
            digest.update(data)
            file.write(data)
            count += len(pending)
            written += len(data)
            pending = list(islice(records, WRITE_RECORDS))
    return ShardRow(number, first, count, written, digest.hexdigest())
