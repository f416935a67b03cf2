"""The lock of a file or folder that is being written, so that one process at a time writes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.utils.errors import BadInput


@contextmanager
def output_lock(out: Path) -> Iterator[bool]:
    """Hold the lock of `out`, which is `flock` on a hidden file beside it, until the block ends.

    The kernel frees it when its holder dies; a lock file that is left behind locks nothing. Gives
    True, or False where the file system knows no locks. Raises `BadInput` if another process has
    the lock, `OSError`.
    """
    path = out.with_name(f".{out.name}.lock")
    try:
        handle, locked = lock_file(path)
    except BlockingIOError as error:
        raise BadInput(
            f"{out} is being written by another command: wait for its end, or name another"
        ) from error
    try:
        yield locked
    finally:
        with suppress(OSError):  # where only its owner, another user, may remove it
            path.unlink()
        os.close(handle)


def lock_file(path: Path) -> tuple[int, bool]:
    """Return the descriptor of the file at the path, and True if it could be locked.

    Raises `BlockingIOError` if another process has locked it, `OSError`.
    """
    while True:
        handle = open_lock_file(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise
        except OSError:
            return handle, False
        if is_same_file(handle, path):
            return handle, True
        os.close(handle)  # the last holder has just removed it: lock the next one


def open_lock_file(path: Path) -> int:
    """Return the descriptor of the file at the path, which is made unless it exists.

    One that a killed process of another user left behind can only be read. Raises `OSError`.
    """
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError:
        with suppress(OSError):
            return os.open(path, os.O_RDONLY | flags)
        raise


def is_same_file(handle: int, path: Path) -> bool:
    """Return True if the open file is the one that lies at the path now."""
    try:
        at_path = path.lstat()
    except FileNotFoundError:
        return False
    opened = os.fstat(handle)
    return (opened.st_dev, opened.st_ino) == (at_path.st_dev, at_path.st_ino)
