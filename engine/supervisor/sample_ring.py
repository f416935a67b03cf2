"""Choosing the captions that the screens show as samples.

Each worker contributes a few per commit, and the same records are chosen for every model, so that
their captions can be compared. The database keeps the newest samples as a ring.
"""

from __future__ import annotations

from collections import Counter

from db.rows import SampleRow
from engine.protocol.caption_row import CaptionRow
from engine.shearing.shear import shear
from engine.state.project_state import ProjectState
from engine.supervisor.attempt import AcceptedRow, Attempt

SAMPLES_PER_COMMIT = 4
"""Samples that one worker contributes between two commits (about a second), at most: the ring of
`db.supervisor_writes` holds 2,000 for all workers."""
SAMPLED_RECORDS = 500
"""Records that are sampled per model, about, spread evenly over the input; more if `MAX_STRIDE`
makes them so."""
MAX_STRIDE = 64
"""The largest distance between sampled records: of a large project every 64th is sampled, so that
new samples keep coming."""


class SampleRing:
    """Picks sample captions from accepted rows and hands them to the project state."""

    def __init__(self, project_state: ProjectState) -> None:
        self.project_state = project_state
        self.stride = min(MAX_STRIDE, max(1, project_state.settings.records // SAMPLED_RECORDS))
        """Every `stride`-th record id of the data set is sampled."""
        self.sampled: Counter[str] = Counter()
        """Samples since the last commit, by worker id."""

    def offer(self, worker_id: str, attempt: Attempt, accepted: AcceptedRow) -> None:
        """Make the row's caption a sample if its record is one of those sampled."""
        row = accepted.row
        chosen = (attempt.shard.first + row.i) % self.stride == 0
        full = self.sampled[worker_id] >= SAMPLES_PER_COMMIT
        if not chosen or full or not isinstance(row, CaptionRow):
            return
        self.sampled[worker_id] += 1
        sheared = shear(row.raw, attempt.model.family, self.project_state.shearing, row.finish)
        self.project_state.samples.append(
            SampleRow(
                created=self.project_state.clock.time(),
                model_id=attempt.model.id,
                shard=attempt.shard.number,
                i=row.i,
                image=accepted.image,
                original=accepted.original,
                raw=row.raw,
                sheared=sheared.text,
                start=sheared.start,
                end=sheared.end,
                tokens=row.tokens,
                finish=row.finish,
            )
        )

    def on_commit(self) -> None:
        """Let every worker contribute again."""
        self.sampled.clear()
