"""What the supervisor knows of one worker, and whether it still gets anywhere."""

from __future__ import annotations

import statistics
import time
from collections import deque
from dataclasses import dataclass, field

from db.rows import WorkerRow, WorkerStatus
from engine.hardware.devices import kind
from engine.launchers.base import WorkerHandle
from engine.state.policy import Policy
from engine.supervisor.attempt import Attempt

RATE_SECONDS = 15.0


@dataclass(slots=True)
class WorkerState:
    """Times are of the monotonic clock."""

    handle: WorkerHandle
    state: WorkerStatus = "starting"
    model_id: int | None = None
    """Loaded or being loaded."""
    loaded: bool = False
    batch: int = 0
    attempt: Attempt | None = None
    heard: float = field(default_factory=time.monotonic)
    progressed: float = field(default_factory=time.monotonic)
    """The last row, the last step of a load, or another sign that it gets somewhere."""
    remote: bool = False
    """Whether its model is a server's."""
    reports_layers: bool = False
    """Whether it says so whenever a layer of its model is computed: then a batch may last."""
    counted: float = field(default_factory=time.monotonic)
    """The last row, or the beginning of the attempt."""
    rows: int = 0
    """Since the process started."""
    batch_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    recent: deque[tuple[float, int]] = field(default_factory=deque)
    """(time, images) of the last seconds."""
    ending: str | None = None
    """Why it was told to end."""
    strikes: bool = False
    """Whether its end is the task's fault."""
    ended_at: float | None = None
    """When it was told to end."""
    killed: bool = False
    waited: bool = False
    """It was said that it waits for a place to run."""
    last_words: str | None = None
    load_failed: bool = False
    stuck: bool = False
    """It ended because reading images does not end."""

    @property
    def device(self) -> str:
        return self.handle.device.id

    def count(self, images: int, now: float) -> None:
        self.batch_seconds.append(now - self.counted)
        self.progressed = self.counted = now
        self.rows += images
        self.recent.append((now, images))

    def rate(self, now: float) -> float:
        """Images a second over the last seconds."""
        while self.recent and self.recent[0][0] < now - RATE_SECONDS:
            self.recent.popleft()
        if len(self.recent) < 2:
            return 0.0
        # The first entry's images came before the span it begins.
        images = sum(count for _, count in self.recent) - self.recent[0][1]
        return images / max(now - self.recent[0][0], 1e-3)

    def hang_reason(self, now: float, policy: Policy) -> str | None:
        """Why this worker counts as hung, if it does."""
        if now - self.heard > policy.heartbeat_limit:
            return f"no sign of life for {policy.heartbeat_limit:.0f} s"
        if self.state == "loading" and now - self.progressed > policy.load_limit:
            return f"no progress in loading for {policy.load_limit:.0f} s"
        if self.state == "captioning":
            median = statistics.median(self.batch_seconds) if self.batch_seconds else 0.0
            slow = kind(self.device) == "cpu" and not self.remote
            least = policy.cpu_row_limit if slow else policy.row_limit
            limit = least if self.reports_layers else max(least, policy.row_limit_batches * median)
            if now - self.progressed > limit:
                return f"no caption for {limit:.0f} s"
        return None

    def row(self, now: float) -> WorkerRow:
        """As the database shows it."""
        return WorkerRow(
            self.handle.id,
            self.device,
            self.handle.pid,
            self.handle.created,
            self.handle.boot_id,
            self.model_id,
            self.attempt.task.id if self.attempt else None,
            "stopping" if self.ending else self.state,
            time.time() - (now - self.heard),
            round(self.rate(now), 2),
            self.batch,
        )
