"""Files and folders that appear complete under their final name or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.utils.errors import BadInput


@contextmanager
def write_beside(out: Path, sync: bool = True) -> Iterator[Path]:
    """Give a path beside `out` to write a file or a folder to; it becomes `out` at the end.

    After any error nothing is left, and an older `out` stays. Without `sync`, what was written is
    not synced to the disk before the renaming, so that a power cut may leave an `out` that is cut
    short. Raises `OSError`, also if a folder that is not empty is in the way.
    """
    part = out.with_name(out.name + ".part")
    remove_path(part)
    try:
        yield part
        if sync:
            sync_to_disk(part)
        if part.is_dir() and out.is_dir():
            out.rmdir()
        part.replace(out)
    except BaseException:
        remove_path(part)
        raise


@contextmanager
def atomic_write(out: Path) -> Iterator[Path]:
    """Do as `write_beside` for a file or folder that a person named. Raises `BadInput`."""
    try:
        with write_beside(out) as part:
            yield part
    except OSError as error:
        raise BadInput(f"cannot write {out}: {error.strerror or error}") from error


def remove_path(path: Path) -> None:
    """Delete a file or a folder with all that is in it; there need not be one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_to_disk(path: Path) -> None:
    """Sync a file, or every regular file below a folder."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    for file in files:
        if file.is_symlink():
            continue
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
