"""The project's lock: one process at a time may write caption logs and task state.

The lock is `flock` on the file, never the pid in it: the kernel releases it when the holder dies.
The content of the file serves only the message to a process that is refused.

filelock is not used: it hands out no descriptor for `intact` and the content, and where `flock` is
missing it makes a lock file that outlives a killed holder.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from engine.process import identity


class ProjectInUse(Exception):
    """Another live process holds the project; the text names it."""


class ProjectLock:
    """A context manager that holds the lock of one project."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = -1
        """The descriptor of the locked file; -1 while the lock is not held."""

    def __enter__(self) -> ProjectLock:
        """Take the lock without waiting. Raises `ProjectInUse`, `OSError`."""
        while not self.intact():  # the last holder may have removed the file in the meantime
            self.release()
            self.acquire()
        os.ftruncate(self.file, 0)
        holder = json.dumps({"host": identity.host_name(), "pid": os.getpid()})
        os.pwrite(self.file, holder.encode(), 0)
        return self

    def acquire(self) -> None:
        """Lock the file that lies at the path now. Raises `ProjectInUse`, `OSError`."""
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self.holder()
            self.release()
            raise ProjectInUse(holder) from error

    def intact(self) -> bool:
        """True if the locked file is still the one that another process would lock."""
        if self.file < 0:
            return False
        try:
            on_disk = self.path.stat()
        except OSError:
            return False
        locked = os.fstat(self.file)
        return (locked.st_dev, locked.st_ino) == (on_disk.st_dev, on_disk.st_ino)

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def holder(self) -> str:
        """Return who holds the lock, for a message, as far as the file says."""
        try:
            content = json.loads(os.pread(self.file, 4096, 0))
            return f"process {content['pid']} on {content['host']}"
        except (ValueError, KeyError, TypeError):
            return "another process"
