"""Images inside of tars, addressed as if the tar were a folder: `00000.tar/000000012.jpg`.

The first image of a tar reads its headers once; every image is then read by its offset.
"""

from __future__ import annotations

import os
import tarfile
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

SUFFIX = ".tar"
KEPT = 16
"""Tars whose members are remembered; a worker goes from one to the next."""


class Member(NamedTuple):
    archive: str
    offset: int
    size: int


LOCK = threading.Lock()


def find(path: str) -> Member | None:
    """The member that a path through a tar means, None if there is none.

    Raises `OSError`, and `tarfile.TarError` for a damaged tar.
    """
    start = 0
    while (at := path.find(SUFFIX + os.sep, start)) >= 0:
        archive = path[: at + len(SUFFIX)]
        start = at + 1
        try:
            status = Path(archive).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        if Path(archive).is_file():
            with LOCK:
                members = index(archive, status.st_mtime_ns, status.st_size)
            found = members.get(plain(path[at + len(SUFFIX) + 1 :]))
            return None if found is None else Member(archive, *found)
    return None


def plain(name: str) -> str:
    return os.path.normpath(name)


@lru_cache(maxsize=KEPT)
def index(archive: str, mtime_ns: int, size: int) -> dict[str, tuple[int, int]]:
    """Offset and size by name; the stat values tell a replaced tar from the one before."""
    with tarfile.open(archive, "r:") as tar:
        return {plain(m.name): (m.offset_data, m.size) for m in members(tar)}


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The regular files, in order; tarfile's own list would grow with the archive."""
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]
        if member.isreg():
            yield member


def read(member: Member) -> bytes:
    """Raises `OSError`; what is cut off is missing from the end."""
    handle = os.open(member.archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(handle, member.size, member.offset)
    finally:
        os.close(handle)
