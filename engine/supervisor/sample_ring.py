"""Which captions the screens show: some of each worker's, the same records for every model."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from db.rows import SampleRow
from engine.shearing.shear import shear
from engine.state.project_state import Books
from engine.supervisor.attempt import Attempt

A_COMMIT = 4
"""Samples of each worker at most."""
WANTED = 500
"""Of a small project's records; of a large one every 64th."""
WIDEST = 64


class Showcase:
    def __init__(self, books: Books) -> None:
        self.books = books
        self.stride = min(WIDEST, max(1, books.settings.records // WANTED))
        self.taken: Counter[str] = Counter()

    def offer(self, worker: str, attempt: Attempt, row: dict[str, Any]) -> None:
        """Called once for every row that was written."""
        image, original = attempt.originals.pop(row["i"])
        chosen = (attempt.shard.first + row["i"]) % self.stride == 0
        if not chosen or "raw" not in row or self.taken[worker] >= A_COMMIT:
            return
        self.taken[worker] += 1
        sheared = shear(row["raw"], attempt.model.family, self.books.shearing, row["finish"])
        self.books.samples.append(
            SampleRow(
                created=time.time(),
                model_id=attempt.model.id,
                shard=attempt.shard.number,
                i=row["i"],
                image=image,
                original=original,
                raw=row["raw"],
                sheared=sheared.text,
                start=sheared.start,
                end=sheared.end,
                tokens=row["tokens"],
                finish=row["finish"],
            )
        )

    def committed(self) -> None:
        self.taken.clear()
