"""What the logs of a project should hold, and what they hold, read without the product's counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from db.rows import ModelRow, TaskRow
from engine.project import caption_log, log_rows
from engine.project.log_rows import LogContents
from engine.protocol.caption_row import CaptionRow, ErrorRow
from tests.sim.naming import BAD, POISON, SERVER_POISON
from tests.sim.scores import is_scorer


def expected_end(model: ModelRow, image: str) -> str:
    """Return what a record ends as if nothing happens to it but what its image does."""
    if BAD in image:
        return "corrupt"
    deadly = SERVER_POISON in image if model.family == "endpoint" else image.startswith(POISON)
    return "poison" if deadly else "caption"


def read_log(path: Path, task: TaskRow, model: ModelRow) -> LogContents:
    """Read a log, that of a scorer without looking at what it should have scored."""
    wanted = log_rows.unknown_texts(task.count) if is_scorer(model.family) else None
    return caption_log.read(path, task.count, wanted=wanted)


def captioned_twice(data: bytes, count: int) -> list[int]:
    """Return the indexes of the records that have more than one caption in a log."""
    rows = [log_rows.parse(line, count) for line in data.splitlines()]
    seen = Counter(row.i for row in rows if isinstance(row, CaptionRow))
    return [i for i, times in seen.items() if times > 1]


def asked_though_excluded(data: bytes, count: int) -> list[int]:
    """Return the indexes of excluded records that have a row though nobody took them back."""
    rows = [log_rows.parse(line, count) for line in data.splitlines()]
    excluded: set[int] = set()
    asked: list[int] = []
    for row in rows:
        if row is None:
            continue
        kind = row.error if isinstance(row, ErrorRow) else None
        if row.i in excluded and kind != "readmitted":
            asked.append(row.i)
        excluded.discard(row.i)
        if kind == "excluded":
            excluded.add(row.i)
    return asked
