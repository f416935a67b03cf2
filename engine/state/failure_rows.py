"""Failed records of a task, by kind, as the database keeps them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from db.rows import FailureRow

EXAMPLES = 20
"""Failed records of one kind that the database names; the rest is in the log."""


def group_failures(task_id: int, errors: dict[int, dict[str, Any]]) -> list[FailureRow]:
    """Failed records by kind, with examples in the order of the shard."""
    counts = Counter(row["error"] for row in errors.values())
    examples: dict[str, list[tuple[int, str]]] = {kind: [] for kind in counts}
    for i in sorted(errors):
        row = errors[i]
        if len(examples[row["error"]]) < EXAMPLES:
            examples[row["error"]].append((i, str(row.get("detail", ""))[:500]))
    return [
        FailureRow(task_id, kind, count, tuple(examples[kind])) for kind, count in counts.items()
    ]
