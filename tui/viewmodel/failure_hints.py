"""What to do about a failure, by its kind or by words of its message."""

from __future__ import annotations

from dataclasses import dataclass

from db.failures import Cause


@dataclass(frozen=True)
class Hint:
    retry: bool
    """Whether doing it again can help as things are."""
    short: str
    what: str


RECORDS = {
    "missing": Hint(True, "find the file", "put the file there, or fix the image root, then retry"),
    "outside": Hint(False, "outside the root", "the path climbs out of the image root: fix it"),
    "not_a_file": Hint(False, "not a file", "a folder, pipe or device stands in for the image"),
    "unreadable": Hint(True, "permissions", "permissions or the disk: make it readable, retry"),
    "corrupt": Hint(False, "bad source file", "the file is damaged: replace it, or exclude it"),
    "too_large": Hint(False, "shrink the image", "the image is too large: shrink it, or exclude"),
    "timeout": Hint(True, "slow storage", "the storage was too slow: retry when it is not"),
    "refused": Hint(False, "the server's no", "the server will not caption it: see its message"),
    "unanswered": Hint(True, "server fails at it", "the server fails at this image: see its log"),
    "poison": Hint(False, "kills the worker", "it ends worker or server: look, then exclude it"),
    "excluded": Hint(True, "given up on", "not asked for again; r takes the records back in"),
    "readmitted": Hint(True, "taken back in", "taken back in after an exclusion: retry"),
    "empty": Hint(
        False, "inspect samples", "shearing left nothing of these captions: not exported"
    ),
}
SHARDS = (
    (
        "out of memory",
        Hint(True, "smaller batch", "set a smaller batch for this model, then retry"),
    ),
    ("signal 9", Hint(True, "host memory", "killed from outside: is the host out of memory?")),
    ("killed by signal", Hint(True, "see its log", "the worker crashed: its log says more (5)")),
    ("exit code", Hint(True, "see its log", "the worker ended by itself: its log says more (5)")),
    ("no caption for", Hint(True, "it hung", "the model hung: see the worker's log (5), retry")),
    ("no sign of life", Hint(True, "it hung", "the worker hung: see its log (5), then retry")),
    (
        "was changed since",
        Hint(False, "restore the shard", "a file in shards/ was changed: restore"),
    ),
    ("is missing since", Hint(False, "restore the shard", "a file in shards/ is gone: restore it")),
)
UNKNOWN_RECORD = Hint(True, "see the detail", "look at the detail, then retry or exclude")
UNKNOWN_SHARD = Hint(True, "see its log", "look at the worker's log (5), then retry")


def hint_for(cause: Cause) -> Hint:
    if cause.scope == "record":
        return RECORDS.get(cause.kind, UNKNOWN_RECORD)
    return next((hint for words, hint in SHARDS if words in cause.kind), UNKNOWN_SHARD)
