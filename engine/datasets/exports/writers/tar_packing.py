"""Tars of about one size, put together from the tars of shards without reading their members."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

COPY_BYTES = 1 << 20
"""Bytes that are copied at a time."""


class ShardTar(NamedTuple):
    """The tar of a shard, and where its samples end."""

    path: Path
    ends: Sequence[int]
    """The offsets in bytes at which each sample ends; the first one starts at 0."""


class TarPacker:
    """Appends the samples of shards to tars `00000.tar`, `00001.tar`, ... of no more than
    `limit` bytes, if a sample alone is not larger."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.sizes: dict[str, int] = {}
        """The number of samples in each tar, by its name."""
        self.file: BinaryIO | None = None
        """The tar that is being written."""
        self.size = 0
        """The bytes of samples in it."""

    def add(self, tar: ShardTar) -> None:
        """Move all samples of a shard's tar to the packed ones, and remove it."""
        start = 0
        with tar.path.open("rb") as source:
            for end in tar.ends:
                if self.file is None or (self.size and self.size + end - start > self.limit):
                    self.file = self.begin()
                copy_bytes(source, self.file, end - start)
                self.size += end - start
                self.sizes[self.name] += 1
                start = end
        tar.path.unlink()

    @property
    def name(self) -> str:
        """The name of the tar that is being written."""
        return f"{len(self.sizes) - 1:05}.tar"

    def begin(self) -> BinaryIO:
        """End the tar that is being written, and begin the next one."""
        self.end()
        self.sizes[f"{len(self.sizes):05}.tar"] = self.size = 0
        return (self.folder / self.name).open("wb")

    def end(self) -> None:
        """Write the end of the tar that is being written, as `tarfile` writes it."""
        if self.file is not None:
            rest = -(self.size + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE
            self.file.write(bytes(2 * tarfile.BLOCKSIZE + rest))
            self.file.close()


def copy_bytes(source: BinaryIO, target: BinaryIO, count: int) -> None:
    """Copy the next `count` bytes of a file to the end of another."""
    while count:
        data = source.read(min(count, COPY_BYTES))
        target.write(data)
        count -= len(data)
