"""Files that must be unpacked, or called by another name, before they are read."""

from __future__ import annotations

from pathlib import Path

from engine.utils.errors import BadInput

PACKED_TARS = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
"""The ends of the names of compressed tars, which are refused: their members have no offset to read
an image from."""
ARCHIVES = (*PACKED_TARS, ".zip", ".7z", ".rar")
"""The ends of the names of archives that are not read."""
UNREAD_ARCHIVES = "compressed archives"
STARTS = {
    b"PK\3\4": "is a ZIP archive or an Excel table: unpack it, or save the table as CSV",
    b"PAR1": "is Parquet: call it .parquet",
    b"ARROW1": "is an Arrow file: call it .arrow",
    b"version https://git-lfs": "is a Git LFS pointer instead of the file: run git lfs pull",
}
"""How files start whose content is not what their name says, and what they are."""


def is_unread_archive(name: str) -> bool:
    """Return True for the name of an archive that must be unpacked first."""
    return name.lower().endswith(ARCHIVES)


def refuse_archive(path: Path) -> None:
    """Raise `BadInput` for an archive that must be unpacked first."""
    if path.name.lower().endswith(PACKED_TARS):
        raise BadInput(
            f"{path} is a compressed tar, which cannot be read in place: unpack it first"
        )
    if is_unread_archive(path.name):
        raise BadInput(f"{path} is an archive of a type that is not read: unpack it first")


def refuse_binary(path: Path) -> None:
    """Raise `BadInput` for a file that is to be read as text, but is known not to be one."""
    if not path.is_file():  # a pipe can be read but once
        return
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    for start, problem in STARTS.items():
        if head.startswith(start):
            raise BadInput(f"{path} {problem}")
