"""Files and folders that appear complete under their final name or not at all."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.utils.errors import BadInput
from engine.utils.output_lock import output_lock

TOKEN_BYTES = 4
"""Bytes of the random part of a temporary name: two writers at once never draw the same."""


@contextmanager
def write_beside(out: Path, sync: bool = True) -> Iterator[Path]:
    """Give a path beside `out` to write a file or a folder to; it becomes `out` at the end.

    The path is nobody else's, so that of several writers at once each one's `out` is whole, and the
    last one's stays. After any error nothing is left, and an older `out` stays; only a killed
    process leaves its path behind (`remove_leftovers`). Without `sync`, what was written is not
    synced to the disk before the renaming, so that a power cut may leave an `out` that is cut
    short. Raises `OSError`, also if a folder that is not empty is in the way.
    """
    part = out.with_name(f"{out.name}.{secrets.token_hex(TOKEN_BYTES)}.part")
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


def remove_leftovers(out: Path) -> None:
    """Delete what killed processes left beside `out`. Nobody else may be writing `out` now."""
    token = "[0-9a-f]" * (2 * TOKEN_BYTES)
    for left in out.parent.glob(f"{glob.escape(out.name)}.{token}.part"):
        remove_path(left)


@contextmanager
def atomic_write(out: Path, replace: bool = False) -> Iterator[Path]:
    """Do as `write_beside` for a file or folder that a person named, which nobody else writes now.

    Raises `BadInput`: if it is being written by another process, if it cannot be written, if a file
    that is read meanwhile cannot be read, or if there is such a file already, unless `replace` is
    True.
    """
    if not out.name:
        raise BadInput(f"{out} is a folder: name a file")
    try:
        refuse_existing(out, replace)
        with output_lock(out) as locked:
            if locked:
                remove_leftovers(out)
            with write_beside(out) as part:
                yield part
                refuse_existing(out, replace)  # another command may have made it in the meantime
    except OSError as error:
        reason = error.strerror or error
        if error.filename is None or is_part_of(out, Path(str(error.filename))):
            raise BadInput(f"cannot write {out}: {reason}") from error
        raise BadInput(f"{error.filename}: {reason}; {out} was not written") from error


def is_part_of(out: Path, path: Path) -> bool:
    """Return True if the path is `out`, its lock, its temporary path, or lies in one of these."""
    own = (out.name, f".{out.name}.lock")
    return any(
        part in own or (part.startswith(f"{out.name}.") and part.endswith(".part"))
        for part in path.parts
    )


def refuse_existing(out: Path, replace: bool) -> None:
    """Raise `BadInput` if a file is in the way that may not be replaced. Raises `OSError`."""
    try:
        mode = out.stat().st_mode
    except FileNotFoundError:
        if not out.is_symlink():
            return
        mode = out.lstat().st_mode
    if stat.S_ISDIR(mode):
        return  # only an empty one gives way to a folder
    folder = Path(os.path.realpath(out.parent))
    in_devices = folder == Path("/dev") or folder.is_relative_to("/proc")  # such as /dev/stdout
    if in_devices or not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise BadInput(f"{out} is a device or a pipe: name a file")
    if not replace:
        raise BadInput(f"{out} exists: name another file, or replace it with --force")


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
