"""The kinds of fault, and the one place where it is drawn whether a fault happens.

A kind has its own stream of random numbers, so that a fault that is left out (when a schedule is
shrunk) changes no draw of another kind.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Set

RATES: dict[str, tuple[float, ...]] = {
    # Ends of a worker's process, by what it was doing
    "worker dies while it loads": (0.05, 0.3),
    "worker dies while it decodes": (0.01, 0.1),
    "worker dies while it generates": (0.01, 0.1),
    "worker dies after its rows": (0.01, 0.1),
    "worker dies idle": (0.01, 0.05),
    "worker is killed": (0.01, 0.1),
    "worker is terminated from outside": (0.01, 0.05),
    "worker is out of memory at batch 1": (0.01, 0.05),
    "worker has a sticky error": (0.01, 0.05),
    "worker outlives SIGTERM": (0.3, 1.0),
    "worker outlives SIGKILL": (0.05, 0.3),
    "worker cannot be started": (0.05, 0.3),
    # Silence
    "worker freezes": (0.01, 0.05),
    "worker hangs in a batch": (0.01, 0.05),
    "worker hangs in a load": (0.02, 0.1),
    "worker is stuck in reads": (0.01, 0.05),
    "worker waits for a slot": (0.05, 0.3),
    # Messages
    "rows come doubled": (0.02, 0.2),
    "rows come in another order": (0.1, 0.5),
    "rows come again, late": (0.02, 0.2),
    "rows of another task": (0.01, 0.1),
    "rows of another attempt": (0.01, 0.1),
    "row out of range": (0.01, 0.1),
    "row that was not sent": (0.05, 0.3),
    "row with impossible tokens": (0.01, 0.05),
    "row with a caption too large": (0.005, 0.02),
    "row that excludes its record": (0.01, 0.05),
    "line that is no JSON": (0.005, 0.03),
    "line that is no message": (0.005, 0.03),
    "message cut by the end of the worker": (0.2, 1.0),
    "message of a model that was loaded before": (0.02, 0.2),
    "messages come late": (0.1, 0.8),
    # Loads
    "checkpoint is bad": (0.02, 0.3),
    "load has no memory": (0.05, 0.3),
    "load fails by an exception": (0.02, 0.2),
    "load is killed": (0.02, 0.2),
    "batch does not fit": (0.02, 0.2),
    # Servers
    "server is away at a load": (0.05, 0.3),
    "server goes away": (0.02, 0.1),
    "server asks to wait": (0.02, 0.1),
    "server goes away without records": (0.01, 0.05),
    # Devices and machines
    "machine is lost": (0.005, 0.03),
    "node leaves": (0.005, 0.03),
    "node comes back": (0.1, 0.5),
    "GPU falls off the bus": (0.002, 0.01),
    "image root is lost": (0.005, 0.03),
    # Clocks
    "clock is set back": (0.01, 0.05),
    "clock is set ahead": (0.01, 0.05),
    # Disk
    "write gives EIO": (0.005, 0.05),
    "write gives ENOSPC": (0.005, 0.05),
    "write is short": (0.005, 0.05),
    "write is a short one and then fails": (0.005, 0.03),
    "fsync fails": (0.005, 0.05),
    "log cannot be opened": (0.005, 0.03),
    "sheared file cannot be written": (0.01, 0.1),
    "disk stays full": (0.3, 0.9),
    # Database
    "database is busy at a commit": (0.02, 0.2),
    "database is busy at a read": (0.02, 0.2),
    "database is full": (0.005, 0.05),
    "database cannot be written": (0.005, 0.05),
    # The supervisor's own end
    "supervisor is killed between turns": (0.002, 0.02),
    "supervisor is killed before a write": (0.002, 0.02),
    "supervisor is killed after a write": (0.002, 0.02),
    "supervisor is killed before a commit": (0.005, 0.05),
    "supervisor is killed after a commit": (0.005, 0.05),
    "power is cut with the kill": (0.2, 0.9),
    "power cut leaves zeros": (0.2, 0.8),
    "power cut loses a new file": (0.2, 0.8),
    # People
    "request to a run": (0.02, 0.2),
    "request that makes no sense": (0.01, 0.1),
    "two requests at once": (0.1, 0.5),
    "request while nothing runs": (0.2, 0.8),
    "run is stopped": (0.001, 0.01),
    "project folder is moved away": (0.0005, 0.003),
    # Shards
    "shard file is written to": (0.001, 0.01),
}
"""Every kind of fault, and the rates (per occasion) of which a schedule draws one."""
SHARE_OF_KINDS = 0.55
"""About as many of the kinds are switched on in one schedule: faults of all kinds at once hide each
other."""


class Faults:
    """Which faults happen in one schedule."""

    def __init__(self, seed: int, only: Set[tuple[str, int]] | None = None) -> None:
        """`only` leaves out every other fault: (kind, number of the occasion) pairs."""
        chooser = random.Random(f"{seed} rates")
        self.only = only
        self.calm = False
        """True once nothing may go wrong any more."""
        self.rates: dict[str, float] = {}
        self.streams: dict[str, random.Random] = {}
        for kind, rates in RATES.items():
            rate = chooser.choice(rates)
            if chooser.random() < SHARE_OF_KINDS:
                self.rates[kind] = rate
                self.streams[kind] = random.Random(f"{seed} {kind}")
        self.occasions: Counter[str] = Counter()
        self.happened: list[tuple[str, int]] = []
        """The faults that happened, in order."""

    def happens(self, kind: str) -> bool:
        """Return True if a fault of this kind happens on this occasion."""
        rate = self.rates.get(kind)
        if rate is None:
            assert kind in RATES, kind
            return False
        if self.streams[kind].random() >= rate:
            return False
        number = self.occasions[kind]
        self.occasions[kind] += 1
        if self.calm or (self.only is not None and (kind, number) not in self.only):
            return False
        self.happened.append((kind, number))
        return True
