"""The caption log of a task that is done: whether it still is what was read back at its end."""

from __future__ import annotations

from pathlib import Path

from db.rows import TaskRow
from engine.project.caption_log import file_digest
from engine.project.damage import Damage
from engine.project.log_rows import CaptionText, LogContents, digest
from engine.utils import jsonlines, plain_files


def is_unchanged(log: Path, task: TaskRow) -> bool:
    """Return True if a log is, by its size and time, the one that was read back.

    The digest is computed only if the file has another time than it had then. Who reads the log
    compares the digest in any case. Raises `OSError`.
    """
    try:
        status = plain_files.status(log)
    except FileNotFoundError:
        return False
    return status.st_size == task.log_bytes and (
        status.st_mtime_ns == task.log_mtime_ns or file_digest(log) == task.digest
    )


def log_damage(log: Path, task: TaskRow) -> Damage:
    """Return the damage of a log that is missing, or is not what was read back."""
    gone = not log.exists()
    kind = plain_files.kind_at(log)
    text = "is missing, but its task is done" if gone else "was changed after its task was done"
    text = text if kind is None else f"is {kind}: remove it"
    advice = "'mllmaug-tui run' captions its shard again"
    return Damage(log, text, advice, task.shard, task.model_id)


def damage_of(log: Path, contents: LogContents, task: TaskRow) -> Damage | None:
    """Return the damage of a log that was read, None if its task is not done or it is sound."""
    if task.state != "done":
        return None
    sound = contents.digest == task.digest and plain_files.status(log).st_size == task.log_bytes
    return None if sound else log_damage(log, task)


def recorded_bytes(log: Path, task: TaskRow) -> bytes | None:
    """Return the part of a log of which the task has the digest.

    Returns None if the log does not begin with it any more. Raises `OSError`.
    """
    try:
        data = plain_files.read_bytes(log)[: task.log_bytes]
    except FileNotFoundError:
        return None
    return data if digest(data) == task.digest else None


def read_if_unchanged(path: Path, log_digest: str, rows: int) -> list[CaptionText] | None:
    """Return the captions, in order, of a log that was read back when its task ended.

    Returns None if the log has another digest by now or holds other lines than these rows. Faster
    than `caption_log.read`, which trusts no line. Raises `OSError`.
    """
    data = plain_files.read_bytes(path)
    if data.count(b"\n") != rows or digest(data) != log_digest:
        return None
    try:
        rows_with_captions = [row for row in jsonlines.loads_lines(data) if "raw" in row]
        texts = [(row["i"], row["raw"], row["finish"]) for row in rows_with_captions]
        # A received log may have its right digest and hold anything.
        return texts if min((i for i, _, _ in texts), default=0) >= 0 else None
    except (KeyError, TypeError, ValueError):
        return None
