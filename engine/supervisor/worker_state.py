"""The state of one worker as the supervisor sees it, and the test for a worker that hangs.

Other modules read the fields and call the methods; only this module sets fields
(`tests/engine/supervisor/test_worker_state.py` proves it).
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from db.rows import WorkerRow, WorkerStatus
from engine.hardware.devices import device_kind
from engine.launchers.base import WorkerHandle
from engine.protocol.messages import Failed, Stuck
from engine.state.policy import Policy
from engine.supervisor.attempt import Attempt

RATE_SECONDS = 15.0
"""Seconds over which the rate on screen is averaged: several batches of a GPU, and short enough to
show a change soon."""

STEP_SECONDS = 10.0
"""Seconds of a load after which a step of it is told, and then between two that are."""

EndCause = Literal["hang", "node_left", "device_lost", "unkillable", "run_stopped"]
"""Why the supervisor ends a worker. Of these causes only a hang is held against the task."""


class RowsReceived(NamedTuple):
    """What one `rows` message brought."""

    at: float
    """When it came, on the monotonic clock."""
    images: int
    waited: float
    """Seconds before it for which the model waited for images."""


@dataclass(slots=True, kw_only=True)
class WorkerState:
    """One live worker process as the supervisor sees it.

    All times are of the monotonic clock, in seconds.
    """

    handle: WorkerHandle
    started_at: float
    """When the process was started."""
    state: WorkerStatus = "starting"
    model_id: int | None = None
    """The model that is loaded or being loaded."""
    loaded: bool = False
    """True while `model_id` is loaded."""
    batch: int = 0
    """The worker's batch size, 0 before its first model is loaded."""
    attempt: Attempt | None = None
    """The attempt that the worker is captioning, or None."""
    last_message_at: float = field(init=False)
    """When the last message came, heartbeats among them."""
    progressed_at: float = field(init=False)
    """When the worker last showed progress: a row, a step of a load, a layer, a server's answer."""
    remote: bool = False
    """True if the worker's model is a server's."""
    step_told_at: float = 0.0
    """When a step of the present load was last told, or the load began."""
    reports_layers: bool = False
    """True once the worker has reported a computed layer. It reports every layer then, so that a
    batch may take any time and a layer has the limit of a batch."""
    last_rows_at: float = field(init=False)
    """When the last rows came, or the attempt began."""
    stale_rows: int = 0
    """Rows that came for an attempt which had ended, as after a pause; they were dropped."""
    batch_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    """Seconds between the last `rows` messages, about the time of a batch."""
    recent_rows: deque[RowsReceived] = field(default_factory=deque)
    """The `rows` messages of the last `RATE_SECONDS`."""
    end_cause: EndCause | None = None
    """Why the supervisor told the worker to end, or None if it did not."""
    end_reason: str | None = None
    """The same as a text for people."""
    ending_since: float | None = None
    """When SIGTERM was sent, or the worker said that it exits; None before that."""
    killed: bool = False
    """True once SIGKILL was sent."""
    waits_for_slot: bool = False
    """True while the worker waits for a slot to run in, as its launcher reported."""
    last_words: Failed | Stuck | None = None
    """The message in which the worker said that it was about to exit."""
    load_failed: bool = False
    """True if the last load failed: an exit now is part of that failure."""

    def __post_init__(self) -> None:
        self.last_message_at = self.progressed_at = self.last_rows_at = self.started_at

    @property
    def device(self) -> str:
        """The id of the worker's device."""
        return self.handle.device.id

    # What the worker does

    def on_message(self, now: float) -> None:
        """Note that a message came: a sign of life."""
        self.last_message_at = now

    def on_progress(self, now: float, layer: bool = False) -> None:
        """Note a sign of progress; `layer` is True if it is a computed layer."""
        self.progressed_at = now
        self.reports_layers = self.reports_layers or layer

    def on_ready(self) -> None:
        """Note that the process is up, and so has its slot."""
        self.waits_for_slot = False

    def on_waiting(self, now: float) -> bool:
        """Note that the worker waits for a slot, which is no fault of its model.

        Returns True if it was not waiting before.
        """
        self.progressed_at = now
        before, self.waits_for_slot = self.waits_for_slot, True
        return not before

    def begin_load(self, model_id: int, remote: bool, now: float) -> None:
        """Note that the worker was told to load the model; `remote` is True for a server's."""
        self.model_id, self.loaded, self.state = model_id, False, "loading"
        self.remote, self.load_failed, self.progressed_at = remote, False, now
        self.step_told_at = now

    def may_tell_step(self, now: float) -> bool:
        """Return True if a step of the load is to be told now, as not every one is."""
        if now - self.step_told_at < STEP_SECONDS:
            return False
        self.step_told_at = now
        return True

    def on_loaded(self, batch: int, now: float) -> None:
        """Note that the model is loaded, with this batch size."""
        self.loaded, self.batch, self.state = True, batch, "idle"
        self.reports_layers, self.progressed_at = False, now

    def on_load_failed(self, exits: bool, now: float) -> None:
        """Note that the load failed; the worker has no model now. `exits` is True if it ends."""
        self.on_unloaded()
        self.load_failed = True
        if exits:
            self.on_ending(now)

    def on_unloaded(self) -> None:
        """Note that the worker has no model any more."""
        self.model_id, self.loaded, self.state = None, False, "idle"

    def on_batch_changed(self, size: int) -> None:
        """Note the worker's new batch size."""
        self.batch = size

    def begin_attempt(self, attempt: Attempt, now: float) -> None:
        """Note that the worker captions from now on."""
        self.attempt, self.state = attempt, "captioning"
        self.progressed_at = self.last_rows_at = now

    def on_waiting_for_server(self, now: float) -> None:
        """Note that the attempt waits for its turn with a server, which is no hang."""
        self.progressed_at = self.last_rows_at = now

    def end_attempt(self) -> None:
        """Note that the worker has no attempt any more."""
        self.attempt, self.state = None, "idle"

    def on_rows(self, images: int, now: float, waited: float = 0.0) -> None:
        """Note that rows of so many images were accepted from one message.

        Before them, the model waited for images for `waited` seconds.
        """
        self.batch_seconds.append(now - self.last_rows_at)
        self.progressed_at = self.last_rows_at = now
        self.recent_rows.append(RowsReceived(now, images, waited))

    def on_stale_rows(self, rows: int) -> None:
        """Note that so many rows were dropped, since their attempt has ended."""
        self.stale_rows += rows

    def on_last_words(self, message: Failed | Stuck, now: float) -> None:
        """Note why the worker is about to exit."""
        self.last_words = message
        self.on_ending(now)

    # How it ends

    def on_ending(self, now: float) -> None:
        """Note that the worker is to end, or is about to: it gets no new work from now on."""
        if self.ending_since is None:
            self.ending_since = now

    def terminate(self, cause: EndCause, reason: str, now: float) -> None:
        """Send SIGTERM, unless the worker is ending already: then only the cause changes."""
        self.end_cause, self.end_reason = cause, reason
        if self.ending_since is None:
            self.on_ending(now)
            self.handle.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self.killed = True
        self.handle.kill()

    def stop(self) -> None:
        """Send SIGKILL because the run ends; an earlier reason to end the worker stays."""
        if self.end_cause is None:
            self.end_cause, self.end_reason = "run_stopped", "stopped"
        self.kill()

    def abandon(self) -> None:
        """Note that the process outlives SIGKILL."""
        self.end_cause, self.end_reason = "unkillable", "cannot be killed"

    @property
    def stuck_in_read(self) -> bool:
        """True if the worker reported that half of its decoding threads hang in a read."""
        return isinstance(self.last_words, Stuck)

    @property
    def at_fault(self) -> bool:
        """True if the worker itself failed: it hung, or reported an exception of its own.

        One whose device or node is gone is not at fault, whatever it reports about that.
        """
        if self.end_cause in ("node_left", "device_lost", "unkillable"):
            return False
        return self.end_cause == "hang" or isinstance(self.last_words, Failed)

    # What is derived

    def rate(self, now: float) -> float:
        """Return images/s over the last `RATE_SECONDS`."""
        return self.per_second(now, lambda rows: rows.images)

    def image_wait(self, now: float) -> float:
        """Return the share of the last `RATE_SECONDS` in which the model waited for images."""
        return min(1.0, self.per_second(now, lambda rows: rows.waited))

    def per_second(self, now: float, figure: Callable[[RowsReceived], float]) -> float:
        """Return the sum of a figure of the recent rows, a second."""
        while self.recent_rows and self.recent_rows[0].at < now - RATE_SECONDS:
            self.recent_rows.popleft()
        if len(self.recent_rows) < 2:
            return 0.0
        # The figures of the first rows are of the time before the span that they begin.
        total = sum(map(figure, self.recent_rows)) - figure(self.recent_rows[0])
        return total / max(now - self.recent_rows[0].at, 1e-3)

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

    def to_row(self, now: float, epoch: float) -> WorkerRow:
        """Return the worker as the database keeps it, for the screens.

        `now` and `epoch` are the same instant, on the monotonic clock and since the epoch.
        """
        return WorkerRow(
            id=self.handle.id,
            device=self.device,
            pid=self.handle.pid,
            created=self.handle.created,
            boot_id=self.handle.boot_id,
            model_id=self.model_id,
            task_id=self.attempt.task.id if self.attempt else None,
            state="stopping" if self.end_cause else self.state,
            heartbeat=epoch - (now - self.last_message_at),
            rate=round(self.rate(now), 2),
            batch=self.batch,
            image_wait=round(self.image_wait(now), 3),
        )
