"""The project's lock: one process at a time may write caption logs and task state.

`flock` on the file, never the pid in it: the kernel lets go when the holder dies. What the file
says is only for the message to whoever is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from engine.process import identity


class Held(Exception):
    """Another live process holds the project."""


class ProjectLock:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = -1

    def __enter__(self) -> ProjectLock:
        """Raises `Held`, `OSError`."""
        while not self.intact():  # whoever held it before may have removed the file
            self.release()
            self.take()
        os.ftruncate(self.file, 0)
        os.pwrite(self.file, json.dumps({"host": identity.host(), "pid": os.getpid()}).encode(), 0)
        return self

    def take(self) -> None:
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self.holder()
            self.release()
            raise Held(holder) from error

    def intact(self) -> bool:
        """Whether the file that is locked is still the one that others would lock."""
        if self.file < 0:
            return False
        try:
            there = self.path.stat()
        except OSError:
            return False
        mine = os.fstat(self.file)
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def holder(self) -> str:
        """In words, as far as the file tells."""
        try:
            found = json.loads(os.pread(self.file, 4096, 0))
            return f"process {found['pid']} on {found['host']}"
        except (ValueError, KeyError, TypeError):
            return "another process"
