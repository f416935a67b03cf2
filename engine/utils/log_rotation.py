"""Log files that processes append to for days: bounded while they are written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

KEPT = 0.5
"""Of the limit, the share that is kept beside the log when it is begun anew."""


def older(log: Path) -> Path:
    """Where the last part of what was there before is kept."""
    return log.with_name(f"{log.name}.1")


def bound(log: Path, limit: int) -> bool:
    """Empties a log above `limit` bytes; its last part stays in the file beside it.

    Whoever writes must have opened it for appending, and goes on at the new end. What is written
    in the instant between copying and emptying is lost. On a full disk nothing can be kept beside
    it, and the log is emptied all the same: that makes room. Whether it was; raises `OSError`.
    """
    with suppress(FileNotFoundError):
        size = log.stat().st_size
        if size <= limit:
            return False
        with suppress(OSError):
            keep_end(log, size - int(limit * KEPT))
        begun = f"(begun anew at {size:,} bytes; before: {older(log).name})\n".encode()
        with log.open("r+b", buffering=0) as file:
            end = 0
            with suppress(OSError):
                end = file.write(begun)  # over the old begin: nobody writes a line before it
            file.truncate(end)
        return True
    return False


def keep_end(log: Path, start: int) -> None:
    """Copies whole lines from `start` on."""
    part = log.with_name(f"{log.name}.part")
    with log.open("rb") as source, part.open("wb") as target:
        source.seek(start)
        source.readline()
        while data := source.read(2**20):
            target.write(data)
    part.replace(older(log))
