"""Cutting records into shard files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.datasets.inputs.batch import RecordBatch, batch_of_pairs
from engine.datasets.sharding import even_sizes, suitable_shard_size, write_shards
from engine.project.caption_log import file_digest


@pytest.mark.parametrize(
    ("records", "shards", "sizes"),
    [(10, 2, [5, 5]), (11, 3, [4, 4, 3]), (2, 3, [1, 1, 0]), (0, 1, [0])],
)
def test_even_sizes(records: int, shards: int, sizes: list[int]) -> None:
    assert list(even_sizes(records, shards)) == sizes


@pytest.mark.parametrize(
    ("records", "devices", "size"),
    [
        (0, 0, 10_000),
        (400, 8, 10_000),
        (501, 8, 500),
        (5_000, 1, 700),
        (50_000, 0, 10_000),
        (50_000, 4, 1_600),
        (15_000_000, 64, 10_000),
    ],
)
def test_a_shard_size_that_suits(records: int, devices: int, size: int) -> None:
    assert suitable_shard_size(records, devices) == size


@pytest.fixture
def shard_file(tmp_path: Path) -> Callable[[int], Path]:
    return lambda number: tmp_path / f"{number}.jsonl"


def test_rows_describe_the_files(shard_file: Callable[[int], Path]) -> None:
    batches = [
        batch_of_pairs([(f"{n}.jpg", "x") for n in range(*ends)]) for ends in ((0, 4), (4, 7))
    ]
    seen: list[tuple[int, list[str]]] = []

    def on_batch(first: int, batch: RecordBatch) -> None:
        seen.append((first, batch.images))

    rows = write_shards(batches, [3, 3, 3], shard_file, on_batch)
    assert [(row.number, row.first, row.count) for row in rows] == [(0, 0, 3), (1, 3, 3), (2, 6, 1)]
    for row in rows:
        path = shard_file(row.number)
        assert (row.bytes, row.digest) == (path.stat().st_size, file_digest(path))
        lines = path.read_bytes().splitlines()
        images = [f"{row.first + i}.jpg" for i in range(row.count)]
        assert [json.loads(line)["image"] for line in lines] == images
    assert all(images[0] == f"{first}.jpg" for first, images in seen)
    assert sum(len(images) for _, images in seen) == 7


def test_without_records_there_is_no_shard(shard_file: Callable[[int], Path]) -> None:
    assert write_shards([], [3], shard_file) == []
