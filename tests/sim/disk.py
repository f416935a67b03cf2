"""The disk under the caption logs: it may refuse, lie about a sync, and forget at a power cut.

It stands in for the module `os` in `engine.project.caption_log`. The files are real ones, in
memory. What a power cut leaves of a file is drawn: everything that was synced, and a part of the
rest, cut anywhere or filled with zeros.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sim.faults import Faults


class Killed(BaseException):
    """The supervisor's process is gone: nothing of it runs any more, no `finally` has an effect."""


class SimulatedDisk:
    """The functions of `os` that a caption log calls, and what is known to be on the disk."""

    def __init__(self, faults: Faults, rng: random.Random, die: Callable[[str], None]) -> None:
        """`die` kills the supervisor if a fault of that kind happens."""
        self.faults = faults
        self.rng = rng
        self.die = die
        self.paths: dict[int, Path] = {}
        """Path of every open file, by descriptor."""
        self.synced: dict[Path, int] = {}
        """Bytes of each log that outlive a power cut."""
        self.new: set[Path] = set()
        """Logs whose entry in their folder was not synced yet."""
        self.lost_pages: dict[Path, int] = {}
        """Offset from which on a log's pages were dropped by a failed fsync: no later one writes
        them."""
        self.full_until_calm = False
        """True while the disk stays full, as it does until somebody makes room."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @property
    def free_bytes(self) -> int:
        return 0 if self.full_until_calm and not self.faults.calm else 2**40

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        path = Path(path)
        is_log = path.suffix == ".jsonl"
        if is_log and self.faults.happens("log cannot be opened"):
            raise OSError(self.rng.choice([errno.EIO, errno.EACCES, errno.EMFILE]), "simulated")
        is_new = is_log and not path.exists()
        handle = os.open(path, flags, mode)
        if is_log:
            self.paths[handle] = path
            if is_new:
                self.new.add(path)
            self.synced.setdefault(path, 0 if is_new else os.fstat(handle).st_size)
        return handle

    def close(self, handle: int) -> None:
        self.paths.pop(handle, None)
        os.close(handle)

    def write(self, handle: int, data: bytes) -> int:
        self.die("supervisor is killed before a write")
        if self.free_bytes == 0:
            raise OSError(errno.ENOSPC, "simulated")
        if self.faults.happens("write gives EIO"):
            raise OSError(errno.EIO, "simulated")
        if self.faults.happens("write gives ENOSPC"):
            self.full_until_calm = self.faults.happens("disk stays full")
            raise OSError(errno.ENOSPC, "simulated")
        part = data[: self.rng.randrange(len(data))] if data else data
        if self.faults.happens("write is short"):
            return os.write(handle, part)
        if self.faults.happens("write is a short one and then fails"):
            os.write(handle, part)
            raise OSError(errno.EIO, "simulated")
        written = os.write(handle, data)
        self.die("supervisor is killed after a write")
        return written

    def ftruncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)
        path = self.paths.get(handle)
        if path is not None:
            self.synced[path] = min(self.synced.get(path, 0), size)

    def fsync(self, handle: int) -> None:
        path = self.paths.get(handle)
        if path is None:  # a folder: the new entries in it are synced
            self.new.clear()
            return
        if self.faults.happens("fsync fails"):
            # The kernel has dropped the dirty pages: a second fsync says nothing about them.
            self.lost_pages.setdefault(path, self.synced.get(path, 0))
            raise OSError(errno.EIO, "simulated")
        self.synced[path] = self.lost_pages.get(path, os.fstat(handle).st_size)

    def close_all(self) -> None:
        """Close what a killed supervisor had open."""
        for handle in list(self.paths):
            self.close(handle)

    def cut_power(self) -> None:
        """Forget what was not synced, or a part of it."""
        for path, synced in list(self.synced.items()):
            if not path.exists():
                continue
            if path in self.new and self.faults.happens("power cut loses a new file"):
                path.unlink()
                self.synced[path] = 0
                continue
            data = path.read_bytes()
            keep = min(synced, len(data))
            end = keep + self.rng.randrange(len(data) - keep + 1)
            zeros = self.faults.happens("power cut leaves zeros")
            path.write_bytes(data[:end] + (b"\0" * (len(data) - end) if zeros else b""))
            self.synced[path] = keep
        self.lost_pages.clear()
        self.new.clear()
