"""How many requests are in flight with a server: found by trying, given up at once when it is
too much. Pure: no clock, no requests."""

from __future__ import annotations

START = 4
GAIN = 1.05
"""A round must be this much faster than the best before to show that more requests pay."""


class Window:
    """Rounds of `limit` answers. Additive increase while it pays, doubling until the first
    trouble; halved by trouble, once for all requests that were under way then."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = min(START, most)
        self.doubling = True
        self.seconds: list[float] = []
        """Of the answers of this round."""
        self.best_rate = 0.0
        self.best_limit = self.limit
        self.halved = 0.0

    def answered(self, began: float, ended: float) -> None:
        """A good answer; times are of one clock."""
        self.seconds.append(max(ended - began, 1e-6))
        if len(self.seconds) >= self.limit:
            self.turn()

    def turn(self) -> None:
        """The end of a round: answers a second are requests in flight over seconds an answer."""
        rate = self.limit * len(self.seconds) / sum(self.seconds)
        self.seconds.clear()
        if rate > self.best_rate * GAIN:
            self.best_rate, self.best_limit = rate, self.limit
        elif self.limit >= 2 * self.best_limit:
            # Twice as many bring no more: they only wait longer. Measured anew from there, since
            # a server is not always as fast.
            self.limit, self.best_rate, self.doubling = self.best_limit, 0.0, False
            return
        self.limit = min(self.most, 2 * self.limit if self.doubling else self.limit + 1)

    def congested(self, began: float, now: float) -> None:
        """Too many: 429, 503, no answer in time."""
        if began < self.halved:
            return  # sent before the last halving, which was for it too
        self.halved, self.doubling = now, False
        self.limit = max(1, self.limit // 2)
        self.best_rate, self.best_limit = 0.0, self.limit
        self.seconds.clear()
