"""Log files that processes append to for days, kept below a size while they are written."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from engine.utils.plain_files import PART, names_in, open_stream, remove_files, replacing, status

KEPT_FRACTION = 0.5
"""Fraction of the limit that is kept in the file beside the log when the log is emptied."""
COPY_BYTES = 2**20
"""Bytes that are copied at a time."""


def rotated_log(log: Path) -> Path:
    """Return the file beside a log that keeps the end of what was there before it was emptied."""
    return log.with_name(f"{log.name}.1")


def rotate_log(log: Path, limit: int) -> bool:
    """Empty a log of more than `limit` bytes; its end stays in the file beside it.

    The processes that write to the log must have opened it for appending; they go on at the new
    end. What they write in the instant between copying and emptying is lost. Return True if the log
    was emptied. Raises `OSError`.
    """
    with suppress(FileNotFoundError):
        size = status(log).st_size
        if size <= limit:
            return False
        # A full disk cannot keep the end; emptying the log all the same makes room.
        with suppress(OSError):
            copy_end(log, size - int(limit * KEPT_FRACTION))
        begun = f"(begun anew at {size:,} bytes; before: {rotated_log(log).name})\n".encode()
        with open_stream(log, "r+b", buffering=0) as file:
            end = 0
            with suppress(OSError):
                end = file.write(begun)  # at the start of the file; other writers append at its end
            file.truncate(end)
        return True
    return False


def copy_end(log: Path, start: int) -> None:
    """Copy the whole lines after the byte offset `start` to the file beside the log."""
    target_path = rotated_log(log)
    # Whoever holds the project's lock alone rotates its logs, so that nobody writes these now.
    parts = filter(None, map(PART.fullmatch, names_in(log.parent)))
    remove_files(log.parent, [part[0] for part in parts if part[1] == target_path.name])
    with replacing(target_path, sync=False) as target, open_stream(log, "rb") as source:
        source.seek(start)
        source.readline()
        shutil.copyfileobj(source, target, COPY_BYTES)
