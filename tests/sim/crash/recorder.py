"""Recording the file operations of the product: the functions of `os` that change files.

They are recorded where Python calls the system, so that it does not matter by which of Python's
ways the product comes there. Files that `open` opens for writing are those of `_pyio`, which call
`os` themselves. `Recorder.missed` finds what came to the disk by any other way.
"""

from __future__ import annotations

import _pyio  # type: ignore[import-not-found]
import builtins
import io
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from tests.sim.crash.operations import (
    FOLDER,
    Commit,
    Disk,
    Link,
    Operation,
    Rename,
    SyncFile,
    SyncFolder,
    Truncate,
    Unlink,
    Write,
)

WRITE_TIME_NS = 1_700_000_000 * 10**9
"""The time of every write, in nanoseconds since the epoch: a clock too coarse to tell two writes
apart, so that nothing may be concluded from an unchanged time."""
DATABASES = ("project.db", "project.db.new")
"""Files of SQLite, of which only commits are recorded."""
UNRECORDED = ("lock", "logs")
"""What the project's state does not depend on."""
HEADER_BYTES = 100
"""Bytes of SQLite's header, in which a counter changes with each commit."""

WRITING = ("open", "dup", "write", "pwrite", "truncate", "ftruncate", "fsync", "fdatasync", "close")
NAMING = ("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "link", "utime")


class Recorder:
    """Records what happens in one folder while it is `recording`."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.recording = False
        self.operations: list[Operation] = []
        self.files: dict[str, int] = {}
        """Number of every file, by path."""
        self.last_number = FOLDER
        self.handles: dict[int, str] = {}
        """Absolute path of every file and folder that was opened, by descriptor."""
        self.headers: dict[str, bytes] = {}
        """Header of every database, as it was last seen."""
        self.real: dict[str, Callable[..., Any]] = {}
        """The functions of `os` that are replaced while this is installed."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put the recording functions in the place of the real ones."""
        self.real = {name: getattr(os, name) for name in (*WRITING, *NAMING)}
        real_open = io.open
        for name in self.real:
            setattr(os, name, getattr(self, name))

        def open_(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            writes = self.recording and set(mode) & set("wax+")
            return (_pyio.open if writes else real_open)(file, mode, *arguments, **options)

        def on_close(*_: object) -> None:
            if self.recording:
                self.note_commits()

        io.open = builtins.open = open_
        real_token_hex, secrets.token_hex = secrets.token_hex, self.token_hex
        event.listen(Pool, "close", on_close)
        try:
            yield
        finally:
            event.remove(Pool, "close", on_close)
            io.open = builtins.open = real_open
            secrets.token_hex = real_token_hex
            for name, function in self.real.items():
                setattr(os, name, function)

    @contextmanager
    def record(self, disk: Disk) -> Iterator[list[Operation]]:
        """Record what happens from now on to the folder, which holds what `disk` shows."""
        self.operations = []
        self.files = dict(disk.visible_entries())
        self.last_number = max((self.last_number, *self.files.values()))
        self.handles.clear()
        self.headers = {path: self.header(path) for path in DATABASES if path in self.files}
        self.recording = True
        try:
            yield self.operations
            self.note_commits()
        finally:
            self.recording = False

    def missed(self, disk: Disk) -> set[str]:
        """Return the paths at which the folder is not what the recorded operations made of it."""
        real: dict[str, bytes | None] = {}
        for path in Path(self.folder).rglob("*"):
            name = str(path.relative_to(self.folder))
            if not self.is_recorded(name):
                continue
            real[name] = None if path.is_dir() else path.read_bytes()
        visible = disk.visible()
        paths = real.keys() | visible.keys()
        return {path for path in paths if real.get(path, b"?") != visible.get(path, b"!")}

    # What is known of a path

    def is_recorded(self, path: str) -> bool:
        return path.partition("/")[0] not in UNRECORDED and not path.endswith("-journal")

    def absolute(self, path: Any, dir_fd: int | None = None) -> str:
        """Return the absolute path that a function of `os` was given; "" if it is not known."""
        if isinstance(path, int):
            # Python opens files for reading without us.
            return self.handles.get(path) or str(Path(f"/proc/self/fd/{path}").readlink())
        text = os.fsdecode(path)
        if dir_fd is not None:
            text = os.path.join(self.handles.get(dir_fd, ""), text)  # noqa: PTH118 (much faster)
        return os.path.normpath(text)

    def relative(self, path: Any, dir_fd: int | None = None) -> str | None:
        """Return the path below the folder, or None if it is not recorded."""
        if not self.recording:
            return None
        text = self.absolute(path, dir_fd)
        if text == self.folder:
            return ""
        name = text[len(self.folder) + 1 :]
        below = text.startswith(self.folder) and text[len(self.folder)] == "/"
        return name if below and self.is_recorded(name) else None

    def token_hex(self, nbytes: int | None = None) -> str:
        """Stand in for `secrets.token_hex`: the same names each time, and none twice."""
        number = 0
        while any(f"{number:08x}" in path for path in self.files):
            number += 1
        return f"{number:08x}"

    def add(self, path: str, file: int | None = None) -> int:
        """Note a new entry, of a new file unless one is given."""
        if file is None:
            self.last_number += 1
            file = self.last_number
        self.files[path] = file
        self.operations.append(Link(path, file))
        return file

    def header(self, path: str) -> bytes:
        try:
            handle = self.real["open"](f"{self.folder}/{path}", os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(handle, HEADER_BYTES, 0)
        finally:
            self.real["close"](handle)

    def note_commits(self) -> None:
        """Record the commits since the last look."""
        for path in DATABASES:
            header = self.header(path)
            if header and header != self.headers.get(path):
                self.headers[path] = header
                file = self.files[path] if path in self.files else self.add(path)
                self.operations.append(Commit(file, Path(self.folder, path).read_bytes()))

    def set_time(self, path: Any) -> None:
        """Give a file the time that every write has here."""
        self.real["utime"](path, ns=(WRITE_TIME_NS, WRITE_TIME_NS))

    # The functions of `os`

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        handle: int = self.real["open"](path, flags, mode, dir_fd=dir_fd)
        if not self.recording:
            return handle
        self.handles[handle] = self.absolute(path, dir_fd)
        name = self.relative(handle)
        if name is None:
            return handle
        if name and name not in self.files and not stat.S_ISDIR(os.fstat(handle).st_mode):
            self.add(name)
        elif flags & os.O_TRUNC and name not in DATABASES:
            self.operations.append(Truncate(self.files[name], 0))
        return handle

    def dup(self, handle: int) -> int:
        copy: int = self.real["dup"](handle)
        if handle in self.handles:
            self.handles[copy] = self.handles[handle]
        return copy

    def close(self, handle: int) -> None:
        self.handles.pop(handle, None)
        self.real["close"](handle)

    def write(self, handle: int, data: Any) -> int:
        name = self.relative(handle)
        if name is None:
            return int(self.real["write"](handle, data))
        written: int = self.real["write"](handle, data)
        offset = os.lseek(handle, 0, os.SEEK_CUR) - written
        self.wrote(handle, name, Write(self.files[name], offset, bytes(data[:written])))
        return written

    def pwrite(self, handle: int, data: Any, offset: int) -> int:
        written: int = self.real["pwrite"](handle, data, offset)
        if (name := self.relative(handle)) is not None:
            self.wrote(handle, name, Write(self.files[name], offset, bytes(data[:written])))
        return written

    def wrote(self, target: Any, name: str, operation: Write | Truncate) -> None:
        if name not in DATABASES:
            self.operations.append(operation)
        self.set_time(target)

    def ftruncate(self, handle: int, size: int) -> None:
        self.truncate(handle, size)

    def truncate(self, path: Any, size: int) -> None:
        self.real["truncate"](path, size)
        if (name := self.relative(path)) is not None:
            self.wrote(path, name, Truncate(self.files[name], size))

    def fsync(self, handle: int) -> None:
        self.real["fsync"](handle)
        name = self.relative(handle)
        if name is not None:
            file = self.files.get(name, FOLDER)
            self.operations.append(SyncFolder(name) if file == FOLDER else SyncFile(file))

    fdatasync = fsync

    def rename(self, old: Any, new: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None) -> None:
        if self.recording:
            self.note_commits()
        self.real["rename"](old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        old_name, new_name = self.relative(old, src_dir_fd), self.relative(new, dst_dir_fd)
        if old_name is not None and new_name is not None:
            file = self.files.pop(old_name)
            self.files[new_name] = file
            self.operations.append(Rename(old_name, new_name, file))
            if old_name in self.headers:
                self.headers[new_name] = self.headers.pop(old_name)

    replace = rename

    def link(self, old: Any, new: Any, **options: Any) -> None:
        self.real["link"](old, new, **options)
        name = self.relative(new, options.get("dst_dir_fd"))
        known = self.relative(old, options.get("src_dir_fd"))
        if name is not None and known is not None:
            self.add(name, self.files[known])

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self.real["unlink"](path, dir_fd=dir_fd)
        self.gone(path, dir_fd)

    remove = unlink

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self.real["rmdir"](path, dir_fd=dir_fd)
        self.gone(path, dir_fd)

    def gone(self, path: Any, dir_fd: int | None) -> None:
        name = self.relative(path, dir_fd)
        if name is not None and self.files.pop(name, None) is not None:
            self.operations.append(Unlink(name))
            self.headers.pop(name, None)

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self.real["mkdir"](path, mode, dir_fd=dir_fd)
        if name := self.relative(path, dir_fd):
            self.add(name, FOLDER)

    def utime(self, path: Any, *arguments: Any, **options: Any) -> None:
        self.real["utime"](path, *arguments, **options)
