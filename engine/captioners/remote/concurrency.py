"""How many requests are with a server at the same time: a window that grows while that pays.

The rule is TCP's: slow start, then additive increase and multiplicative decrease. This module has
no clock and sends nothing.
"""

from __future__ import annotations

FIRST_LIMIT = 4
"""Requests at a time in the first round."""
MIN_GAIN = 1.05
"""Factor by which a round must beat the best rate before it, to show that more requests pay."""


class RequestWindow:
    """The limit of requests in flight, which is judged after each round of `limit` answers.

    The limit doubles each round until the first congestion, and then grows by one. Where twice the
    best limit brings no more answers a second, it returns to the best one. Congestion halves it,
    once for all requests that were in flight then. Times are in seconds, of one clock of the
    caller's.
    """

    def __init__(self, max_limit: int) -> None:
        self.max_limit = max_limit
        self.limit = min(FIRST_LIMIT, max_limit)
        """Requests that may be in flight now."""
        self.slow_start = True
        """True while the limit doubles."""
        self.durations: list[float] = []
        """Seconds that the answers of this round took."""
        self.best_rate = 0.0
        """Most answers a second in a round since the limit was last lowered."""
        self.best_limit = self.limit
        """The limit of that round."""
        self.halved_at = 0.0
        """When congestion last halved the limit."""

    def on_answer(self, sent_at: float, now: float) -> None:
        """Count a good answer, and end the round if it was the last one."""
        self.durations.append(max(now - sent_at, 1e-6))
        if len(self.durations) >= self.limit:
            self.end_round()

    def end_round(self) -> None:
        """Raise the limit, or return to the best one."""
        # Answers a second are the requests in flight over the mean seconds of an answer.
        rate = self.limit * len(self.durations) / sum(self.durations)
        self.durations.clear()
        if rate > self.best_rate * MIN_GAIN:
            self.best_rate, self.best_limit = rate, self.limit
        elif self.limit >= 2 * self.best_limit:
            # Twice as many requests bring no more answers: they only wait longer. The best rate is
            # measured anew, since a server is not always equally fast.
            self.limit, self.best_rate, self.slow_start = self.best_limit, 0.0, False
            return
        self.limit = min(self.max_limit, 2 * self.limit if self.slow_start else self.limit + 1)

    def on_congestion(self, sent_at: float, now: float) -> None:
        """Halve the limit: the server had too many requests (429, 503), or gave no answer in time.

        `sent_at` is when the request was sent that shows it.
        """
        if sent_at < self.halved_at:
            return  # the last halving was for this request, too
        self.halved_at, self.slow_start = now, False
        self.limit = max(1, self.limit // 2)
        self.best_rate, self.best_limit = 0.0, self.limit
        self.durations.clear()
