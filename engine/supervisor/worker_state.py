"""The state of one worker as the supervisor sees it, and the test for a worker that hangs."""

from __future__ import annotations

import statistics
import time
from collections import deque
from dataclasses import dataclass, field

from db.rows import WorkerRow, WorkerStatus
from engine.hardware.devices import device_kind
from engine.launchers.base import WorkerHandle
from engine.state.policy import Policy
from engine.supervisor.attempt import Attempt

RATE_SECONDS = 15.0
"""Seconds over which the rate on screen is averaged: several batches of a GPU, and short enough to
show a change soon."""


@dataclass(slots=True)
class WorkerState:
    """One live worker process as the supervisor sees it.

    All times are of the monotonic clock, in seconds.
    """

    handle: WorkerHandle
    state: WorkerStatus = "starting"
    model_id: int | None = None
    """The model that is loaded or being loaded."""
    loaded: bool = False
    """True while `model_id` is loaded."""
    batch: int = 0
    """The worker's batch size, 0 before its first model is loaded."""
    attempt: Attempt | None = None
    """The attempt that the worker is captioning, or None."""
    last_message_at: float = field(default_factory=time.monotonic)
    """When the last message came, heartbeats among them."""
    progressed_at: float = field(default_factory=time.monotonic)
    """When the worker last showed progress: a row, a step of a load, a layer, a server's answer."""
    remote: bool = False
    """True if the worker's model is a server's."""
    reports_layers: bool = False
    """True once the worker has reported a computed layer. It reports every layer then, so that a
    batch may take any time and a layer has the limit of a batch."""
    last_rows_at: float = field(default_factory=time.monotonic)
    """When the last rows came, or the attempt began."""
    rows: int = 0
    """Rows that were accepted since the process started."""
    batch_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    """Seconds between the last `rows` messages, about the time of a batch."""
    recent_rows: deque[tuple[float, int]] = field(default_factory=deque)
    """(Time, images) of the `rows` messages of the last `RATE_SECONDS`."""
    end_reason: str | None = None
    """Why the supervisor told the worker to end, or None if it did not."""
    strikes_task: bool = False
    """True if the worker's end is held against its task: it hung, or reported that it failed."""
    terminated_at: float | None = None
    """When the watchdog sent SIGTERM, or None."""
    killed: bool = False
    """True once the watchdog sent SIGKILL."""
    waits_for_slot: bool = False
    """True once the launcher reported that the worker waits for a slot to run in."""
    failure_text: str | None = None
    """The text of the `failed` or `stuck` message that came just before the worker exited."""
    load_failed: bool = False
    """True once a load failed: its exit is then part of that failure."""
    stuck_in_read: bool = False
    """True if the worker reported that half of its decoding threads hang in a read."""

    @property
    def device(self) -> str:
        """The id of the worker's device."""
        return self.handle.device.id

    def count_rows(self, images: int, now: float) -> None:
        """Note that a `rows` message for so many images came at `now`."""
        self.batch_seconds.append(now - self.last_rows_at)
        self.progressed_at = self.last_rows_at = now
        self.rows += images
        self.recent_rows.append((now, images))

    def rate(self, now: float) -> float:
        """Return images/s over the last `RATE_SECONDS`."""
        while self.recent_rows and self.recent_rows[0][0] < now - RATE_SECONDS:
            self.recent_rows.popleft()
        if len(self.recent_rows) < 2:
            return 0.0
        # The first entry's images came before the span it begins.
        images = sum(count for _, count in self.recent_rows) - self.recent_rows[0][1]
        return images / max(now - self.recent_rows[0][0], 1e-3)

    def hang_reason(self, now: float, policy: Policy) -> str | None:
        """Return why the worker counts as hung, or None if it does not."""
        if now - self.last_message_at > policy.heartbeat_limit:
            return f"no sign of life for {policy.heartbeat_limit:.0f} s"
        if self.state == "loading" and now - self.progressed_at > policy.load_limit:
            return f"no progress in loading for {policy.load_limit:.0f} s"
        if self.state == "captioning":
            median = statistics.median(self.batch_seconds) if self.batch_seconds else 0.0
            slow = device_kind(self.device) == "cpu" and not self.remote
            least = policy.cpu_row_limit if slow else policy.row_limit
            limit = least if self.reports_layers else max(least, policy.row_limit_batches * median)
            if now - self.progressed_at > limit:
                return f"no caption for {limit:.0f} s"
        return None

    def to_row(self, now: float) -> WorkerRow:
        """Return the worker as the database keeps it, for the screens."""
        return WorkerRow(
            id=self.handle.id,
            device=self.device,
            pid=self.handle.pid,
            created=self.handle.created,
            boot_id=self.handle.boot_id,
            model_id=self.model_id,
            task_id=self.attempt.task.id if self.attempt else None,
            state="stopping" if self.end_reason else self.state,
            heartbeat=time.time() - (now - self.last_message_at),
            rate=round(self.rate(now), 2),
            batch=self.batch,
        )
