"""The condition of a server, as its answers and failures show it: a circuit breaker.

Everything is decided from what is handed in, so that it can be tested without a server. All times
are seconds of one monotonic clock.
"""

from __future__ import annotations

from engine.captioners.remote.client import RetryPolicy, ServerError

PROBE_ID = -1
"""Stands for a record id in requests about the probe image."""


class ServerHealth:
    """The condition of one captioner's server."""

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy = policy
        self.in_flight: dict[int, float] = {}
        """When the requests that the server has now were sent, by record id."""
        self.last_success = 0.0
        """When the last good answer came (monotonic seconds); 0 before the first."""
        self.failing_since = -1.0
        """When the first failure after a good answer came; earlier than `last_success` while the
        server answers."""
        self.suspects: set[int] = set()
        """Ids of records that the server had when it began to fail and that failed with it. One of
        them may be the cause. A record that is sent again is no suspect until it fails again."""
        self.retry_at = 0.0
        """When the server wants to be asked again."""

    @property
    def failing(self) -> bool:
        """True if no good answer has come since the first failure."""
        return self.failing_since >= self.last_success

    def on_sent(self, record_id: int, now: float) -> None:
        self.in_flight[record_id] = now

    def on_success(self, now: float) -> None:
        self.last_success = now

    def on_failure(self, error: ServerError, record_id: int, sent_at: float, now: float) -> None:
        if not self.failing:
            self.failing_since = now
            self.suspects.clear()
        if error.may_be_record and sent_at <= self.failing_since:
            self.suspects.add(record_id)
        if error.retry_after:
            self.retry_at = max(self.retry_at, now + error.retry_after)

    def on_end(self, record_id: int) -> None:
        """Note that a request has ended, in whatever way."""
        self.in_flight.pop(record_id, None)

    def is_outage(self, error: ServerError, now: float) -> bool:
        """Return True if it makes no sense for this captioner to ask the server again.

        That is so if nobody listens any more, if the server has failed for too long, or if it
        wants to be left alone for longer than a request may wait.
        """
        if error.unreachable and self.lost_records():
            return True
        since = self.failing_since if self.failing else now
        too_long = now - since > self.policy.outage_seconds
        return too_long or (error.retry_after or 0.0) > self.policy.max_retry_after

    def lost_records(self) -> set[int]:
        """Return the ids of the records that the server had when it stopped answering."""
        if not self.failing:
            return set()
        hanging = {it for it, sent_at in self.in_flight.items() if sent_at <= self.failing_since}
        return (self.suspects | hanging) - {PROBE_ID}
