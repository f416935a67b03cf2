"""The project's lock: one process at a time may write caption logs and task state.

The lock is `flock` on the file, never the pid in it: the kernel releases it when the holder dies.
Whether somebody holds it can be asked by everybody who can read the file (`find_holder`): in
another PID namespace, too, and on another machine where a network file system has working locks.
The content of the file only says who that is.

filelock is not used: it hands out no descriptor for `intact` and the content, and where `flock` is
missing it makes a lock file that outlives a killed holder.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.process import identity
from engine.utils.plain_files import open_file

LOOKS = 5
"""How often a lock is tried before it counts as held: `find_holder` of another process may have it
for an instant."""
LOOK_SECONDS = 0.002
"""Seconds between two tries."""


MAX_HOST = 255
"""The most characters of a host's name, as in a domain name: the file may be anybody's."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """The process that holds a project's lock, as it named itself in the file."""

    host: str | None = None
    pid: int | None = None
    """Its pid, as it sees itself; None if the file does not say who holds the lock."""
    created: float | None = None
    """When it started (`engine.process.identity.process_start`)."""
    boot_id: str | None = None
    """The boot of its machine; None as `created` if an older version holds the lock."""

    @classmethod
    def this_process(cls) -> LockHolder:
        """Return what this process writes into a lock file."""
        pid, created, boot_id = identity.this_process()
        return cls(identity.host_name(), pid, created, boot_id)

    @classmethod
    def read(cls, file: int) -> LockHolder:
        """Return who holds the lock of an open file, as far as the file says."""
        try:
            content = json.loads(os.pread(file, 4096, 0))
            created = content.get("created")
            return cls(
                str(content["host"])[:MAX_HOST],
                max(0, int(content["pid"])),
                None if created is None else float(created),
                content.get("boot_id"),
            )
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
            return cls()

    def __str__(self) -> str:
        return "another process" if self.pid is None else f"process {self.pid} on {self.host}"

    @property
    def on_this_machine(self) -> bool:
        """True if it runs under the kernel that this process runs under, perhaps unseen."""
        if self.boot_id is None:
            return self.host in (None, identity.host_name())
        return self.boot_id == identity.boot_id()

    @property
    def is_visible(self) -> bool:
        """True if this process can look it up: it runs here, in no other PID namespace."""
        if self.pid is None or not self.on_this_machine:
            return False
        started = identity.process_start(self.pid)
        return started is not None and self.created in (None, started)


def find_holder(path: Path) -> LockHolder | None:
    """Return who holds the lock now, None if nobody does.

    Raises `OSError`: `FileNotFoundError` if there is no lock file, others if it cannot be asked.
    """
    file = open_file(path, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return LockHolder.read(file)
    finally:
        os.close(file)
    return None


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
        os.pwrite(self.file, json.dumps(asdict(LockHolder.this_process())).encode(), 0)
        return self

    def acquire(self) -> None:
        """Lock the file that lies at the path now. Raises `ProjectInUse`, `OSError`."""
        self.file = open_file(self.path, os.O_RDWR | os.O_CREAT)
        for look in range(1, LOOKS + 1):
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if look == LOOKS:
                    holder = LockHolder.read(self.file)
                    self.release()
                    raise ProjectInUse(holder) from error
                time.sleep(LOOK_SECONDS)

    def intact(self) -> bool:
        """True if the locked file is still the one that another process would lock."""
        if self.file < 0:
            return False
        try:
            on_disk = self.path.lstat()
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
