"""Advice about failures: by the kind of a failed record, or by the cause of a failed shard."""

from __future__ import annotations

from dataclasses import dataclass

from db.failures import Cause
from db.rows import TaskErrorCause


@dataclass(frozen=True)
class Hint:
    """The advice about one cause of failures."""

    can_retry: bool
    """True if a retry of the same records or of the same shard can succeed."""
    short: str
    """Two or three words for a table."""
    advice: str
    """A sentence for a person."""


RECORD_HINTS = {
    "missing": Hint(True, "find the file", "put the file there, or fix the image root, then retry"),
    "outside": Hint(
        True,
        "outside the root",
        "its path is outside the image root: fix it, or run --allow-outside, then retry",
    ),
    "not_a_file": Hint(False, "not a file", "the path is a folder, pipe or device, not an image"),
    "unreadable": Hint(True, "permissions", "permissions or the disk: make it readable, retry"),
    "corrupt": Hint(False, "bad source file", "the file is damaged: replace it, or exclude it"),
    "too_large": Hint(False, "shrink the image", "the image is too large: shrink it, or exclude"),
    "timeout": Hint(True, "slow storage", "the storage was too slow: retry when it is not"),
    "refused": Hint(
        False, "refused", "the model or its server refused to caption it: see its message"
    ),
    "unanswered": Hint(True, "server error", "the server fails at this image: see its log"),
    "unusable_text": Hint(
        False,
        "no text to ask with",
        "the record lacks a text that the prompt asks for: see its message",
    ),
    "no_caption": Hint(
        True,
        "reasoning only",
        "its answer holds no caption: switch thinking off or raise max_new_tokens, then retry",
    ),
    "invalid": Hint(
        True, "see its log", "the worker sent an invalid row for it: see its log, retry"
    ),
    "poison": Hint(
        False, "crashes the worker", "it crashes worker or server: look at it, then exclude it"
    ),
    "not_imported": Hint(
        False, "not in the files", "the imported files have no caption for it: import others"
    ),
    "excluded": Hint(True, "excluded", "not captioned again; r includes the records again"),
    "readmitted": Hint(True, "included again", "included again after an exclusion: retry"),
    "empty": Hint(
        False, "inspect samples", "shearing left nothing of these captions: not exported"
    ),
}
"""Hints by the kind of a failed record."""
SHARD_HINTS: dict[TaskErrorCause, Hint] = {
    "out_of_memory": Hint(True, "smaller batch", "set a smaller batch for this model, then retry"),
    "killed": Hint(True, "host memory", "killed from outside: is the host out of memory?"),
    "crashed": Hint(True, "see its log", "the worker crashed: its log says more (5)"),
    "exited": Hint(True, "see its log", "the worker ended by itself: its log says more (5)"),
    "hung": Hint(True, "worker hung", "the worker hung: see its log (5), then retry"),
    "log_incomplete": Hint(True, "rows are missing", "its log lacks rows: retry, or import again"),
    "shard_changed": Hint(False, "restore the shard", "a file in shards/ was changed: restore"),
    "shard_missing": Hint(False, "restore the shard", "a file in shards/ is gone: restore it"),
}
"""Hints by the cause of a failed shard."""
UNKNOWN_RECORD = Hint(True, "see the detail", "look at the detail, then retry or exclude")
UNKNOWN_SHARD = Hint(True, "see its log", "look at the worker's log (5), then retry")


def hint_for(cause: Cause) -> Hint:
    """Return the hint for a cause of failed records or failed shards."""
    if cause.scope == "record":
        return RECORD_HINTS.get(cause.kind, UNKNOWN_RECORD)
    if cause.error_cause is None:
        return UNKNOWN_SHARD
    return SHARD_HINTS.get(cause.error_cause, UNKNOWN_SHARD)
