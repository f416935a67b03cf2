"""The disk under the caption logs: it may refuse, lie about a sync, and forget at a power cut.

It stands in for the functions by which `engine.project.caption_log` opens and writes a log. The
files are real ones, in memory. What a power cut leaves of a file is drawn: everything that was
synced, and of the rest a part, cut anywhere, filled with zeros, or with a hole before what was
written later.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn

from engine.utils import plain_files
from tests.sim.faults import Faults
from tests.sim.virtual_time import VirtualTime

BETWEEN_ROWS = 0.5
"""The share of cuts that leave whole rows alone: within a row, the torn one gives the cut away."""


class Killed(BaseException):
    """The supervisor's process is gone: nothing of it runs any more, no `finally` has an effect."""


class SimulatedDisk:
    """What a caption log calls to open, write and sync, and what is known to be on the disk."""

    def __init__(
        self,
        faults: Faults,
        rng: random.Random,
        time: VirtualTime,
        die: Callable[[str | None], None],
        kill: Callable[[], NoReturn],
        on_write: Callable[[Path, bytes], None],
        on_damage: Callable[[Path], None],
        touched_shards: set[int],
    ) -> None:
        """`die` kills the supervisor if a fault of that kind happens, or raises if it is dead.

        `on_write` is told what is about to be appended to a log, `on_damage` the logs that lost
        something which had been written. `touched_shards` gets those that cannot be read.
        """
        self.faults = faults
        self.rng = rng
        self.time = time
        self.die = die
        self.kill = kill
        self.on_write = on_write
        self.on_damage = on_damage
        self.touched_shards = touched_shards
        self.paths: dict[int, Path] = {}
        """Path of every open log, by descriptor."""
        self.synced: dict[Path, int] = {}
        """Bytes of each log that outlive a power cut, but for `lost`."""
        self.unsynced_since: dict[Path, float] = {}
        """When the first byte was written to a log that was neither synced nor cut back to its last
        sync since, on the monotonic clock."""
        self.new: set[Path] = set()
        """Logs whose entry in their folder was not synced yet."""
        self.lost: dict[Path, list[tuple[int, int]]] = {}
        """Ranges of each log whose pages a failed fsync has dropped: they are still to be read,
        from memory, until they are evicted, and no later fsync writes them."""
        self.written_again: set[Path] = set()
        """Logs that were written again whole since their last sync: the next one that succeeds
        writes what was dropped, too."""
        self.taken_back: set[Path] = set()
        """Logs of which a failed sync took rows back that the database may count until a run
        commits again."""
        self.cut_now: Path | None = None
        """The log that was cut last, until something else is done to it."""
        self.full_until_calm = False
        """True while the disk stays full, as it does until somebody makes room."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @property
    def free_bytes(self) -> int:
        return 0 if self.full_until_calm and not self.faults.calm else 2**40

    # In the place of `engine.utils.plain_files`

    def open_file(self, path: Path, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        self.die(None)
        if self.faults.happens("log cannot be opened"):
            raise OSError(self.rng.choice([errno.EIO, errno.EACCES, errno.EMFILE]), "simulated")
        is_new = not path.exists()
        handle = plain_files.open_file(path, flags, mode)
        self.paths[handle] = path
        if is_new:
            self.new.add(path)
        self.synced.setdefault(path, 0 if is_new else os.fstat(handle).st_size)
        self.die("supervisor is killed after a new file" if is_new else None)
        return handle

    def open_stream(self, path: Path, mode: Literal["rb"]) -> BinaryIO:
        if path.parent.name == "shards" and self.faults.happens("shard cannot be read"):
            self.touched_shards.add(int(path.stem))
            raise OSError(errno.EIO, "simulated")
        return plain_files.open_stream(path, mode)

    def read_bytes(self, path: Path) -> bytes:
        """Read a log: pages that a failed fsync has dropped may be evicted just before."""
        if self.faults.happens("log cannot be read"):
            raise OSError(errno.EIO, "simulated")
        if path in self.lost and self.faults.happens("dropped pages are evicted"):
            self.evict(path)
        if self.faults.happens("log loses its end while it is in use"):
            self.cut(path)
        return plain_files.read_bytes(path)

    # In the place of `os`

    def close(self, handle: int) -> None:
        self.paths.pop(handle, None)
        os.close(handle)

    def write(self, handle: int, data: bytes) -> int:
        self.die("supervisor is killed before a write")
        self.on_write(self.paths[handle], data)
        self.cut_now = None
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
        if self.faults.happens("supervisor is killed in a write"):
            os.write(handle, part)
            self.kill()
        written = os.write(handle, data)
        self.unsynced_since.setdefault(self.paths[handle], self.time.now)
        self.die("supervisor is killed after a write")
        return written

    def pwrite(self, handle: int, data: bytes, offset: int) -> int:
        """Write a log's own bytes again."""
        self.die("supervisor is killed before a write")
        if self.faults.happens("write gives EIO"):
            raise OSError(errno.EIO, "simulated")
        written = os.pwrite(handle, data, offset)
        self.written_again.add(self.paths[handle])
        self.die("supervisor is killed after a write")
        return written

    def ftruncate(self, handle: int, size: int) -> None:
        self.die("supervisor is killed before a log is cut")
        if self.faults.happens("log cannot be cut"):
            self.on_damage(self.paths[handle])
            self.unsynced_since.pop(self.paths[handle], None)  # nothing more can be done
            raise OSError(errno.EIO, "simulated")
        path = self.paths[handle]
        os.ftruncate(handle, size)
        self.cut_now = path
        self.forget_after(path, size)
        if self.synced[path] == size and path not in self.lost:
            self.unsynced_since.pop(path, None)

    def fsync(self, handle: int) -> None:
        path = self.paths.get(handle)
        self.die("supervisor is killed before a sync")
        if path is None:  # a folder: the new entries in it are synced
            self.new.clear()
            return
        size = os.fstat(handle).st_size
        synced = self.synced.get(path, 0)
        written_again = path in self.written_again
        self.written_again.discard(path)
        if self.faults.happens("fsync fails"):
            if synced < size:
                self.lost.setdefault(path, []).append((synced, size))
                self.taken_back.add(path)
            self.synced[path] = size
            if path == self.cut_now:  # the rows are to be forgotten; they cannot be taken away
                self.unsynced_since.pop(path, None)
            raise OSError(errno.EIO, "simulated")
        self.cut_now = None
        self.synced[path] = size
        if written_again:
            self.lost.pop(path, None)
        if path not in self.lost:
            self.unsynced_since.pop(path, None)
        self.die("supervisor is killed after a sync")

    # What a disk does by itself

    def forget_after(self, path: Path, size: int) -> None:
        """Note that a log ends at `size` now."""
        self.synced[path] = min(self.synced.get(path, 0), size)
        ranges = [(start, min(end, size)) for start, end in self.lost.pop(path, []) if start < size]
        if ranges:
            self.lost[path] = ranges

    def durable_bytes(self, path: Path, data: bytes) -> bytes:
        """Return what a power cut would leave of a log that holds `data`, for certain."""
        if path in self.new:
            return b""
        durable = bytearray(data[: self.synced.get(path, len(data))])
        for start, end in self.lost.get(path, ()):
            durable[start:end] = bytes(len(durable[start:end]))
        return bytes(durable)

    def evict(self, path: Path) -> None:
        """Have the pages that a failed fsync dropped read as what the disk holds: nothing."""
        data = bytearray(path.read_bytes())
        for start, end in self.lost.pop(path):
            data[start:end] = bytes(len(data[start:end]))
        overwrite(path, data)
        self.on_damage(path)

    def cut(self, path: Path) -> None:
        """Cut a log anywhere, often between two rows, as a person or a file system check may."""
        if not path.exists() or not (size := path.stat().st_size):
            return
        end = self.rng.randrange(size)
        if self.rng.random() < BETWEEN_ROWS:
            end = path.read_bytes().rfind(b"\n", 0, end) + 1
        os.truncate(path, end)
        self.forget_after(path, end)
        self.on_damage(path)

    def close_all(self) -> None:
        """Close what a killed supervisor had open."""
        for handle in list(self.paths):
            self.close(handle)
        self.unsynced_since.clear()

    def cut_power(self) -> None:
        """Forget what was not synced, or a part of it."""
        for path in list(self.lost):
            if path.exists():
                self.evict(path)
        for path, synced in list(self.synced.items()):
            if not path.exists():
                continue
            if path in self.new and self.faults.happens("power cut loses a new file"):
                path.unlink()
                self.synced[path] = 0
                continue
            data = bytearray(path.read_bytes())
            keep = min(synced, len(data))
            end = keep + self.rng.randrange(len(data) - keep + 1)
            later = end + self.rng.randrange(len(data) - end + 1)
            if self.faults.happens("power cut leaves a hole"):
                data[end:later] = bytes(later - end)
                self.on_damage(path)
            elif self.faults.happens("power cut leaves zeros"):
                data[end:] = bytes(len(data) - end)
            else:
                del data[end:]
            overwrite(path, data)
            self.synced[path] = len(data)  # what is there after it came from the disk
        self.lost.clear()
        self.new.clear()


def overwrite(path: Path, data: bytes | bytearray) -> None:
    """Change the contents of a file in place, so that those who have it open see it."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
