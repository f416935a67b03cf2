"""Failed records of a task, grouped by kind, as the database keeps them."""

from __future__ import annotations

from collections import Counter

from db.rows import FailureRow
from engine.protocol.caption_row import ErrorRow

MAX_EXAMPLES = 20
"""Failed records of one kind that the database names per task, so that it stays small however many
fail; the caption log has them all."""


def group_failures(task_id: int, errors: dict[int, ErrorRow]) -> list[FailureRow]:
    """Return the failed records by kind, with examples in the order of the shard.

    `errors` are rows of the caption log by the index of their record.
    """
    counts = Counter(row.error for row in errors.values())
    examples: dict[str, list[tuple[int, str]]] = {kind: [] for kind in counts}
    for i in sorted(errors):
        row = errors[i]
        if len(examples[row.error]) < MAX_EXAMPLES:
            examples[row.error].append((i, row.detail[:500]))
    return [
        FailureRow(task_id, kind, count, tuple(examples[kind])) for kind, count in counts.items()
    ]
