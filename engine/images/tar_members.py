"""Images inside of tars, addressed as if the tar were a folder: `00000.tar/000000012.jpg`.

If a name occurs several times in a tar, the address means the last file of that name, as when a tar
is unpacked. `00000.tar/@1/000000012.jpg` means the first one, `@2` the second, and so on. The first
image of a tar reads the headers of all its members; every image is then read by offset.
"""

from __future__ import annotations

import os
import re
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from engine.images.tar_index import TarIndex, read_index
from engine.images.tar_reading import DamagedTar

ARCHIVE_END = re.compile(r"\.tar(?=/)", re.IGNORECASE)
"""The end of an archive's name in an address."""
OCCURRENCE = re.compile(r"@+([1-9][0-9]{0,8})/(.+)", re.DOTALL)
"""The part of an address behind the archive that counts the files of a name."""
MAX_INDEXED_TARS = 16
"""The number of tars whose members are remembered; a worker goes from one tar to the next."""
INDEX_LOCK = threading.Lock()
"""Held while a tar is indexed, so that threads do not read the same headers at the same time."""


class TarMember(NamedTuple):
    """A file inside of a tar: the tar's path, and the member's offset and size in bytes."""

    archive: str
    offset: int
    size: int


def find_member(path: str) -> TarMember | None:
    """Return the member that a path through a tar names, or None if there is none.

    Raises `OSError`, and `DamagedTar` if the member may stand behind a damaged place.
    """
    for match in ARCHIVE_END.finditer(path):
        archive = path[: match.end()]
        if not Path(archive).is_file():
            continue
        index = index_of(archive)
        position = find_position(index, path[match.end() + 1 :])
        if position is None and index.damage is not None:
            raise DamagedTar(index.damage.problem, index.damage.offset)
        return None if position is None else TarMember(archive, *index.span(position))
    return None


def find_position(index: TarIndex, address: str) -> int | None:
    """Return the file that the part of an address behind the archive means, None if there is none.

    A file that really has such a name comes before one that is counted.
    """
    positions = index.positions(address)
    if positions:
        found = positions[-1]
    else:
        match = OCCURRENCE.fullmatch(address)
        positions = index.positions(match[2]) if match else []
        if match is None or int(match[1]) > len(positions):
            return None
        found = positions[int(match[1]) - 1]
    return None if found in index.lost_links else found


def member_address(index: TarIndex, position: int) -> str:
    """Return the part behind the archive of the address that means a file."""
    name = index.name(position)
    positions = index.positions(name)
    if positions[-1] == position:
        return name
    address = f"@{positions.index(position) + 1}/{name}"
    while index.positions(address):  # a file really has this name
        address = f"@{address}"
    return address


def index_of(archive: str) -> TarIndex:
    """Return the index of a tar, which is kept for the next image. Raises `OSError`."""
    status = Path(archive).stat()
    with INDEX_LOCK:
        return index_tar(archive, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=MAX_INDEXED_TARS)
def index_tar(archive: str, mtime_ns: int, size: int) -> TarIndex:
    """Return the index of a tar. Raises `OSError`.

    `mtime_ns` and `size` are the tar's own: with them the cache tells a replaced tar from the one
    before.
    """
    return read_index(archive)


def read_member(member: TarMember) -> bytes:
    """Return the content of a member, cut short if the tar is. Raises `OSError`."""
    handle = os.open(member.archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(handle, member.size, member.offset)
    finally:
        os.close(handle)
