"""The files of a tar in compact arrays: some 40 bytes a file, and its name.

A tar of a million samples has some three million files; Python objects for them would fill a
gigabyte.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from engine.images.tar_reading import DamagedTar, TarReader


class Span(NamedTuple):
    """Where the content of a file lies in its tar; both in bytes."""

    offset: int
    size: int


class TarIndex:
    """The files of a tar in their order, as far as it can be read; it finds them by their names.

    A file is known by its 0-based position among all. A hard link is a file with the content of its
    target. Names are compared as paths: `./a.jpg` is `a.jpg`. A name may occur several times.
    """

    def __init__(self) -> None:
        self.names = bytearray()
        """The names of all files, one after the other."""
        self.name_ends = array("Q")
        """Where each name ends in `names`."""
        self.offsets = array("Q")
        """Where each content begins, in bytes."""
        self.sizes = array("Q")
        """The size of each content in bytes."""
        self.archive_starts: list[int] = []
        """The position of the first file of each archive: several may be joined in one tar."""
        self.hashes = array("q")
        """The hashes of all names as paths, sorted."""
        self.by_hash = array("I")
        """The file that each of `hashes` belongs to; files of equal hashes are in order."""
        self.damage: DamagedTar | None = None
        """Why there may be more files, which were not found; None if the tar is sound."""
        self.symbolic_links: list[str] = []
        """The names of the symbolic links, which are no files here."""
        self.lost_links: set[int] = set()
        """The hard links without a target, which have no content."""

    def __len__(self) -> int:
        return len(self.name_ends)

    def name(self, position: int) -> str:
        """Return the name of a file as the tar has it."""
        start = self.name_ends[position - 1] if position else 0
        return self.names[start : self.name_ends[position]].decode("utf-8", "surrogateescape")

    def span(self, position: int) -> Span:
        """Return where the content of a file lies."""
        return Span(self.offsets[position], self.sizes[position])

    def archive(self, position: int) -> int:
        """Return the 0-based number of the archive, among those that were joined, of a file."""
        return bisect_right(self.archive_starts, position) - 1

    def positions(self, name: str) -> list[int]:
        """Return the files with this name, in order."""
        path = as_path(name)
        key = hash(path)
        first = bisect_left(self.hashes, key)
        found = self.by_hash[first : bisect_right(self.hashes, key, first)]
        return [position for position in found if as_path(self.name(position)) == path]

    def repeated(self) -> set[int]:
        """Return the files whose names may occur several times: nearly always they do."""
        found: set[int] = set()
        # Comparing the array with itself, moved by one, is a hundred times as fast as a loop.
        import numpy as np

        hashes = np.frombuffer(self.hashes, np.int64)
        for at in np.flatnonzero(hashes[1:] == hashes[:-1]).tolist():
            found.update(self.by_hash[at : at + 2])
        return found


def as_path(name: str) -> str:
    """Return the name of a member as names are compared."""
    is_plain = name[:1] not in "./" and name[-1:] != "/" and "//" not in name and "/." not in name
    return name if is_plain else os.path.normpath(name)


def read_index(archive: str) -> TarIndex:
    """Read the headers of a tar. Damage is noted in the index. Raises `OSError`."""
    index = TarIndex()
    hashes = array("q")
    links: list[tuple[int, str]] = []
    with TarReader(archive) as tar:
        try:
            for number, member in tar.members():
                if member.issym():
                    index.symbolic_links.append(member.name)
                    continue
                position = len(index)
                while len(index.archive_starts) <= number:
                    index.archive_starts.append(position)
                if member.islnk():
                    links.append((position, member.linkname))
                index.names += member.name.encode("utf-8", "surrogateescape")
                index.name_ends.append(len(index.names))
                index.offsets.append(member.offset_data)
                index.sizes.append(member.size)
                hashes.append(hash(as_path(member.name)))
        except DamagedTar as error:
            index.damage = error
    sort_by_hash(index, hashes)
    for position, target in links:
        resolve_link(index, position, target)
    return index


def sort_by_hash(index: TarIndex, hashes: array[int]) -> None:
    """Fill in what finds a file by its name. `hashes` are those of the files in their order."""
    import numpy as np  # only here: most processes that open images open none in a tar

    by_position = np.frombuffer(hashes, np.int64)
    order = np.argsort(by_position, kind="stable")
    index.hashes.frombytes(by_position[order].tobytes())
    index.by_hash.frombytes(order.astype(np.uint32).tobytes())


def resolve_link(index: TarIndex, position: int, target: str) -> None:
    """Give a hard link the content of its target: the last file of that name before it.

    The target lies in the same archive.
    """
    first = index.archive_starts[index.archive(position)]
    targets = [each for each in index.positions(target) if first <= each < position]
    if targets and targets[-1] not in index.lost_links:
        index.offsets[position], index.sizes[position] = index.span(targets[-1])
    else:
        index.lost_links.add(position)
