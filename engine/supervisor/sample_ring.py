"""Which captions the screens show: some of each worker's, the same records for every model."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from db.rows import SampleRow
from engine.shearing.shear import shear
from engine.state.project_state import ProjectState
from engine.supervisor.attempt import Attempt

A_COMMIT = 4
"""Samples of each worker at most."""
WANTED = 500
"""Of a small project's records; of a large one every 64th."""
WIDEST = 64


class SampleRing:
    def __init__(self, project_state: ProjectState) -> None:
        self.project_state = project_state
        self.stride = min(WIDEST, max(1, project_state.settings.records // WANTED))
        self.taken: Counter[str] = Counter()

    def offer(self, worker_id: str, attempt: Attempt, row: dict[str, Any]) -> None:
        """Called once for every row that was written."""
        image, original = attempt.originals.pop(row["i"])
        chosen = (attempt.shard.first + row["i"]) % self.stride == 0
        if not chosen or "raw" not in row or self.taken[worker_id] >= A_COMMIT:
            return
        self.taken[worker_id] += 1
        sheared = shear(
            row["raw"], attempt.model.family, self.project_state.shearing, row["finish"]
        )
        self.project_state.samples.append(
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
