"""Images that are known not to be readable: no program can train on them, whatever their captions.

The caption logs tell: a failure of the image itself, under any model of the project, also one that
is not exported. Light to import, without the database: other processes start with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from engine.project import caption_log, log_rows

UNREADABLE_KINDS = frozenset(
    kind.encode()
    for kind in (
        "missing",
        "not_a_file",
        "unreadable",
        "corrupt",
        "too_large",
        "timeout",
        log_rows.EXCLUDED_KIND,
    )
)
"""The failures that tell of the image itself, and the one by which a person gave up on it. Others
(`refused`, `unanswered`, `outside`, `poison`, ...) tell of a server, a model or a path."""
ERROR_LINE = re.compile(rb'\{"i": ?(\d{1,8}), ?"error": ?"(\w+)"')
"""The start of a failure's line in a caption log, as `log_rows.CAPTION_LINE` is of a caption's."""


def unreadable_records(logs: Iterable[Path], count: int) -> set[int]:
    """Return the indices of the records of a shard of `count` records whose image is known to be
    unreadable or missing, or which a person excluded, by the logs of the shard. Raises `OSError`.
    """
    indices: set[int] = set()
    for log in logs:
        indices |= unreadable_in_log(caption_log.read_if_there(log), count)
    return indices


def unreadable_in_log(data: bytes, count: int) -> set[int]:
    """Return the indices of such records by the log of one model, a shard of `count` records.

    The last failure of a record counts, and only where the record has no caption.
    """
    whole = data[: data.rfind(b"\n") + 1]
    last_kinds = {int(match[1]): match[2] for match in ERROR_LINE.finditer(whole)}
    captioned = log_rows.captioned(whole) if last_kinds else set()
    return {
        i
        for i, kind in last_kinds.items()
        if i < count and i not in captioned and kind in UNREADABLE_KINDS
    }
