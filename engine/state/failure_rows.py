"""Failed records of a task, grouped by kind, as the database keeps them."""

from __future__ import annotations

from collections import Counter

from db.rows import FailureRow
from db.values import storable_text
from engine.protocol.caption_row import ErrorRow

MAX_EXAMPLES = 20
"""Failed records of one kind that the database names per task, so that it stays small however many
fail; the caption log has them all."""


def group_failures(task_id: int, errors: dict[int, ErrorRow]) -> list[FailureRow]:
    """Return the failed records by kind, with examples in the order of the shard.

    `errors` are rows of the caption log by the index of their record.
    """
    # As the database will have it: two kinds that it stores alike are one there.
    kinds = {i: storable_text(row.error) for i, row in errors.items()}
    counts = Counter(kinds.values())
    examples: dict[str, list[tuple[int, str]]] = {kind: [] for kind in counts}
    for i in sorted(errors):
        if len(examples[kinds[i]]) < MAX_EXAMPLES:
            examples[kinds[i]].append((i, errors[i].detail[:500]))
    return [
        FailureRow(task_id, kind, count, tuple(examples[kind])) for kind, count in counts.items()
    ]
