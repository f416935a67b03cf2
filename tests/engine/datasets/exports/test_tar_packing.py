"""Tars of about one size hold the samples of all shards, in order and whole."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from engine.datasets.exports.writers.tar_packing import ShardTar, TarPacker

SAMPLE = 1536
"""Bytes of a sample of one member: a header and the content, in blocks."""


def shard_tar(path: Path, names: list[str], size: int = 1000) -> ShardTar:
    ends = []
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, BytesIO(name.encode().ljust(size)))
            ends.append(tar.offset)
    return ShardTar(path, ends)


@pytest.mark.parametrize(
    ("limit", "counts"),
    [
        (1, [1] * 7),
        (2 * SAMPLE - 1, [1] * 7),
        (2 * SAMPLE, [2, 2, 2, 1]),
        (3 * SAMPLE, [3, 3, 1]),
        (100 * SAMPLE, [7]),
    ],
)
def test_samples_of_shards_are_packed_in_order(
    tmp_path: Path, limit: int, counts: list[int]
) -> None:
    packer = TarPacker(tmp_path, limit)
    shards = [["a", "b", "c"], [], ["d", "e", "f", "g"]]
    for number, names in enumerate(shards):
        packer.add(shard_tar(tmp_path / f"{number}.shard", names))
    packer.end()
    tars = sorted(tmp_path.iterdir())
    assert packer.sizes == {f"{number:05}.tar": count for number, count in enumerate(counts)}
    assert [path.name for path in tars] == list(packer.sizes), "nothing else is left"
    found = []
    for path in tars:
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            assert len(members) == packer.sizes[path.name]
            for member in members:
                content = tar.extractfile(member)
                assert content is not None
                assert content.read() == member.name.encode().ljust(1000)
                found.append(member.name)
    assert found == list("abcdefg")


def test_a_packed_tar_is_as_tarfile_writes_it(tmp_path: Path) -> None:
    tar = shard_tar(tmp_path / "0.shard", ["a", "b"])
    whole = tar.path.read_bytes()
    packer = TarPacker(tmp_path, len(whole))
    packer.add(tar)
    packer.end()
    assert (tmp_path / "00000.tar").read_bytes() == whole


def test_without_samples_there_is_no_tar(tmp_path: Path) -> None:
    packer = TarPacker(tmp_path, 1)
    packer.add(shard_tar(tmp_path / "0.shard", []))
    packer.end()
    assert not list(tmp_path.iterdir())
