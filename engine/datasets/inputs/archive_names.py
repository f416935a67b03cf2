"""The names of archives that must be unpacked first."""

from __future__ import annotations

PACKED_TARS = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
"""The ends of the names of compressed tars, which are refused: their members have no offset to read
an image from."""
ARCHIVES = (*PACKED_TARS, ".zip", ".7z", ".rar")
"""The ends of the names of archives that are not read."""
UNREAD_ARCHIVES = "compressed archives"


def is_packed_tar(name: str) -> bool:
    """Return True for the name of a compressed tar."""
    return name.lower().endswith(PACKED_TARS)


def is_unread_archive(name: str) -> bool:
    """Return True for the name of an archive that must be unpacked first."""
    return name.lower().endswith(ARCHIVES)
