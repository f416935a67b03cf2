"""Shard files: reading their records, and noticing that a file is not what was written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.project.caption_log import digest
from engine.project.shard_file import ShardDamage, inspect_shard, read_shard

DATA = b'{"image": "a.jpg", "caption": "a"}\n{"image": "b.jpg"}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "00000.jsonl"
    path.write_bytes(DATA)
    return path


def test_records_have_their_index(path: Path) -> None:
    assert [(i, record["image"]) for i, record in read_shard(path)] == [(0, "a.jpg"), (1, "b.jpg")]


@pytest.mark.parametrize("line", [b"no JSON\n", b"[]\n", b"{}\n", b'{"image": 7}\n', b"\n"])
def test_a_line_that_is_no_record(path: Path, line: bytes) -> None:
    path.write_bytes(DATA + line)
    records = read_shard(path)
    assert [i for i, _ in (next(records), next(records))] == [0, 1]
    with pytest.raises(ValueError):
        next(records)


def test_a_whole_file_has_the_same_stamp_until_it_is_written_to(path: Path) -> None:
    stamp = inspect_shard(path, digest(DATA))
    assert stamp == inspect_shard(path, digest(DATA))
    assert not isinstance(stamp, ShardDamage)
    os.utime(path, ns=(1, 1))
    assert inspect_shard(path, digest(DATA)) != stamp


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda path: path.write_bytes(DATA[:-1]), "shard_changed"),
        (lambda path: path.unlink(), "shard_missing"),
        (lambda path: (path.unlink(), path.mkdir()), "shard_unreadable"),
    ],
)
def test_what_is_wrong_with_a_file(
    path: Path, change: Callable[[Path], object], cause: str
) -> None:
    change(path)
    damage = inspect_shard(path, digest(DATA))
    assert isinstance(damage, ShardDamage)
    assert damage.cause == cause
    assert damage.text.startswith("shards/00000.jsonl ")
