"""Shard files: reading their records, and noticing that a file is not what was written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.project.log_rows import digest
from engine.project.shard_file import ShardDamage, inspect_shard, parse_shard, read_shard
from engine.utils.errors import BadInput

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
    with pytest.raises(BadInput, match="was changed since the input was split"):
        next(records)


def test_a_file_that_is_missing_or_no_file_is_one_message(path: Path) -> None:
    path.unlink()
    with pytest.raises(BadInput, match=f"{path} is missing: put it back"):
        next(read_shard(path))
    path.mkdir()
    with pytest.raises(BadInput, match=f"{path} cannot be read: Is a directory"):
        next(read_shard(path))


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


@pytest.mark.parametrize(
    "data", [b"", b'{"image": "a"}\n', b"[1]\n[2]\n", b'{"image": 1}\n' * 2, b"{\n{\n", b"[" * 9999]
)
def test_what_is_not_the_records_of_a_shard(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_shard(data, 2)
    assert parse_shard(b'{"image": "a"}\n' * 2, 2) == [{"image": "a"}] * 2
