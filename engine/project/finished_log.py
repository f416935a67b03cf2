"""The caption log of a task that is done: whether it still is what was read back at its end."""

from __future__ import annotations

from pathlib import Path

from db.rows import TaskRow
from engine.project.caption_log import CaptionText, digest, file_digest
from engine.utils import jsonlines
from engine.utils.errors import BadInput


def is_unchanged(log: Path, task: TaskRow) -> bool:
    """Return True if a log is the one that was read back when its task was done.

    The digest is computed only if the file has another time than it had then. Raises `OSError`.
    """
    try:
        status = log.stat()
    except FileNotFoundError:
        return False
    return status.st_size == task.log_bytes and (
        status.st_mtime_ns == task.log_mtime_ns or file_digest(log) == task.digest
    )


def check_unchanged(log: Path, task: TaskRow) -> None:
    """Raise `BadInput` unless the log is the one that was read back. Raises `OSError`."""
    if not is_unchanged(log, task):
        raise not_as_read_back(log)


def not_as_read_back(log: Path) -> BadInput:
    """Return the error about a log that is missing, or was changed after its task was done."""
    if not log.exists():
        return BadInput(f"{log} is missing, its task is done: 'mllmaug-tui run' makes it again")
    return BadInput(
        f"{log} was changed after its task was done: 'mllmaug-tui run' redoes what it lacks"
    )


def read_if_unchanged(path: Path, log_digest: str, rows: int) -> list[CaptionText] | None:
    """Return the captions, in order, of a log that was read back when its task ended.

    Returns None if the log has another digest by now or holds other lines than these rows. Faster
    than `caption_log.read`, which trusts no line. Raises `OSError`.
    """
    data = path.read_bytes()
    if data.count(b"\n") != rows or digest(data) != log_digest:
        return None
    return [
        (row["i"], row["raw"], row["finish"]) for row in jsonlines.loads_lines(data) if "raw" in row
    ]
