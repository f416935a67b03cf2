"""Images inside of tars, addressed as if the tar were a folder: `00000.tar/000000012.jpg`.

The first image of a tar reads the headers of all its members; every image is then read by offset.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from engine.images.tar_reading import DamagedTar, TarReader

SUFFIX = ".tar"
MAX_INDEXED_TARS = 16
"""The number of tars whose members are remembered; a worker goes from one tar to the next."""
INDEX_LOCK = threading.Lock()
"""Held while a tar is indexed, so that threads do not read the same headers at the same time."""


class TarMember(NamedTuple):
    """A file inside of a tar: the tar's path, and the member's offset and size in bytes."""

    archive: str
    offset: int
    size: int


class TarIndex(NamedTuple):
    """The members of a tar, as far as it can be read."""

    members: dict[str, tuple[int, int]]
    """Offset and size in bytes of every regular file, by its name."""
    damage: DamagedTar | None
    """Why there may be more members that were not found; None if the tar is sound."""


def find_member(path: str) -> TarMember | None:
    """Return the member that a path through a tar names, or None if there is none.

    Raises `OSError`, and `DamagedTar` if the member may stand behind a damaged place.
    """
    start = 0
    while (suffix_at := path.find(SUFFIX + os.sep, start)) >= 0:
        archive = path[: suffix_at + len(SUFFIX)]
        start = suffix_at + 1
        try:
            status = Path(archive).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        if Path(archive).is_file():
            with INDEX_LOCK:
                index = index_tar(archive, status.st_mtime_ns, status.st_size)
            span = index.members.get(normalise(path[suffix_at + len(SUFFIX) + 1 :]))
            if span is None and index.damage is not None:
                raise DamagedTar(index.damage.problem, index.damage.offset)
            return None if span is None else TarMember(archive, *span)
    return None


def normalise(name: str) -> str:
    return os.path.normpath(name)


@lru_cache(maxsize=MAX_INDEXED_TARS)
def index_tar(archive: str, mtime_ns: int, size: int) -> TarIndex:
    """Return the index of a tar. Raises `OSError`.

    `mtime_ns` and `size` are the tar's own: with them the cache tells a replaced tar from the one
    before.
    """
    members: dict[str, tuple[int, int]] = {}
    damage = None
    with TarReader(archive) as tar:
        try:
            for member in tar.regular_members():
                members[normalise(member.name)] = (member.offset_data, member.size)
        except DamagedTar as error:
            damage = error
    return TarIndex(members, damage)


def read_member(member: TarMember) -> bytes:
    """Return the content of a member, cut short if the tar is. Raises `OSError`."""
    handle = os.open(member.archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(handle, member.size, member.offset)
    finally:
        os.close(handle)
