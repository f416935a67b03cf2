"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.utils.errors import BadInput


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A name beside `out` to write to, a file or a folder; it becomes `out` at the end.

    Everything is synced before. On any error nothing is left and an older `out` stands. Raises
    `BadInput` for what the disk refuses, and for a folder in the way that is not empty.
    """
    part = out.with_name(out.name + ".part")
    remove(part)
    try:
        yield part
        sync(part)
        if part.is_dir() and out.is_dir():
            out.rmdir()
        part.replace(out)
    except OSError as error:
        remove(part)
        raise BadInput(f"cannot write {out}: {error.strerror or error}") from error
    except BaseException:
        remove(part)
        raise


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    for file in files:
        if file.is_symlink():
            continue
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
