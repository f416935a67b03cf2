"""The files of a project, opened without following a link: what is received stays inside itself.

A project may come from somebody else, with a symbolic link where a log or a folder should be. No
part of a path that is given here may be one: each part is opened by its name in the folder before
it. The caller resolves the project's own folder once (`engine.project.opening.open_project`), so
that a person may keep a whole project behind a link. A pipe or a device in place of a file is
refused too, before it is opened. Hard links are files like any other and are accepted: only
somebody who may write the file already can make one.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

FILE_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags of every file. Non-blocking, since opening a pipe would wait for its other end."""
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PASS_FLAGS = FOLDER_FLAGS | getattr(os, "O_PATH", 0)
"""Flags of a folder on the way to a file. `O_PATH`, which Linux has, asks for no right to list."""
MODES: dict[str, int] = {
    "rb": os.O_RDONLY,
    "r+b": os.O_RDWR,
    "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}
"""The flags of each mode of `open_stream`."""
PART = re.compile(r"(.+)\.[0-9a-f]{8}\.part")
"""The name of a file that `replacing` writes; the first group is that of the file in the end."""
MAX_BYTES = 2**31
"""Most bytes that `read_bytes` takes into memory. A caption log of 10,000 records has a few
million; a file with a hole may claim any size."""


class NotPlain(OSError):
    """Raised for a link, or for anything else that is no file or folder, in a project's place."""

    def __init__(self, path: Path, kind: str) -> None:
        advice = (
            "nothing inside a project may be one; move the whole project and link to its folder"
            if kind == "a symbolic link"
            else "remove it"
        )
        super().__init__(errno.ELOOP, f"{path} is {kind}: {advice}")

    def __str__(self) -> str:
        return str(self.strerror)


def kind_of(mode: int) -> str | None:
    """Return what a mode of `stat` stands for, for a message; None for a file or a folder."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"


def kind_at(path: Path) -> str | None:
    """Return what stands in the place of a file, as `kind_of` does; None also for nothing."""
    try:
        return kind_of(os.lstat(path).st_mode)
    except OSError:
        return None


def check_entry(path: Path, folder: int | None = None, name: str | None = None) -> None:
    """Raise `NotPlain` for an entry that is neither a file nor a folder; it may be missing.

    It is looked at by its path, or by its `name` in an open `folder`.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = os.stat(name or path, dir_fd=folder, follow_symlinks=False).st_mode
        kind = kind_of(mode)
        if kind is not None:
            raise NotPlain(path, kind)


@contextmanager
def folder_of(path: Path, make: bool = False) -> Iterator[int]:
    """Open the folder that holds an absolute path, part by part, and give its descriptor.

    With `make`, folders that are missing are made. Raises `OSError`.
    """
    if not path.is_absolute():
        path = path.absolute()
    so_far = Path(path.anchor)
    handle = os.open(so_far, PASS_FLAGS)
    try:
        for name in path.parts[1:-1]:
            so_far /= name
            try:
                inner = open_inner(handle, name, so_far)
            except FileNotFoundError:
                if not make:
                    raise
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=handle)
                inner = open_inner(handle, name, so_far)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def open_inner(folder: int, name: str, path: Path, flags: int = PASS_FLAGS) -> int:
    """Open the folder `name` in the open `folder`; `path` is its path. Raises `OSError`."""
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            check_entry(path, folder, name)
        raise OSError(error.errno, error.strerror, str(path)) from error


def open_folder(path: Path) -> int:
    """Open a folder for listing or syncing, and return its descriptor. Raises `OSError`."""
    with folder_of(path) as folder:
        return open_inner(folder, path.name, path, FOLDER_FLAGS)


def open_file(path: Path, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """Open a regular file and return its descriptor. `flags` and `mode` are those of `os.open`.

    Raises `OSError`.
    """
    with folder_of(path) as folder:
        check_entry(path, folder, path.name)
        try:
            handle = os.open(path.name, flags | FILE_FLAGS, mode, dir_fd=folder)
        except OSError as error:
            check_entry(path, folder, path.name)
            raise OSError(error.errno, error.strerror, str(path)) from error
    kind = kind_of(os.fstat(handle).st_mode)
    if kind is not None:  # it was put there after the look at it
        os.close(handle)
        raise NotPlain(path, kind)
    return handle


def open_stream(path: Path, mode: Literal["rb", "r+b", "ab"], buffering: int = -1) -> BinaryIO:
    """Open a regular file as a stream of bytes. Raises `OSError`."""
    stream: BinaryIO = os.fdopen(open_file(path, MODES[mode]), mode, buffering)
    return stream


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the contents of a regular file. Raises `OSError`, also for one above `limit` bytes."""
    with open_stream(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise OSError(errno.EFBIG, f"{size:,} bytes are too many for a file here", str(path))
        return file.read(limit)


def status(path: Path) -> os.stat_result:
    """Return the status of a regular file, which is not opened. Raises `OSError`.

    Folders on the way to it are not looked at: whoever opens the file does that.
    """
    result = os.lstat(path)
    kind = kind_of(result.st_mode)
    if kind is not None:
        raise NotPlain(path, kind)
    return result


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they exist. Raises `OSError`."""
    with folder_of(path / "entry", make=True):
        pass


def names_in(path: Path) -> list[str]:
    """Return the names of the entries of a folder, none if there is no such folder.

    Raises `OSError`.
    """
    try:
        folder = open_folder(path)
    except FileNotFoundError:
        return []
    try:
        return os.listdir(folder)  # noqa: PTH208 (of an open folder)
    finally:
        os.close(folder)


def remove_files(folder_path: Path, names: list[str]) -> None:
    """Remove the files of these names in a folder, as far as they exist. Raises `OSError`."""
    if not names:
        return
    with folder_of(folder_path / names[0]) as folder:
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def rename(old: Path, new: Path) -> None:
    """Rename an entry within its folder, over a file that is there. Raises `OSError`."""
    with folder_of(old) as folder:
        os.replace(old.name, new.name, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """Give a new file to write to, which takes the place of `path` at the end.

    Several may do so at once: the file is whole, and the last one's stays. After any error nothing
    is left, and an older file stays; only a killed process leaves its file, as `PART` names it.
    Without `sync`, a power cut may leave a file that is cut short. Raises `OSError`.
    """
    part = f"{path.name}.{secrets.token_hex(4)}.part"
    with folder_of(path) as folder:
        check_entry(path, folder, path.name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE_FLAGS
        handle = os.open(part, flags, 0o666, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(part, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
            raise
