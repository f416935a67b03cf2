"""The kinds of fault, and the one place where it is drawn whether a fault happens.

A kind has its own stream of random numbers, so that a fault that is left out (when a schedule is
shrunk) changes no draw of another kind.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager

RATES: dict[str, tuple[float, ...]] = {
    # Ends of a worker's process, by what it was doing
    "worker dies while it starts": (0.01, 0.05),
    "worker dies while it loads": (0.05, 0.3),
    "worker dies while it decodes": (0.01, 0.1),
    "worker dies while it generates": (0.01, 0.1),
    "worker dies after its rows": (0.01, 0.1),
    "worker dies while it is told to forget": (0.1, 0.5),
    "worker dies idle": (0.2, 0.9),
    "worker is killed": (0.01, 0.1),
    "worker is terminated from outside": (0.01, 0.05),
    "worker is out of memory at batch 1": (0.2, 0.9),
    "worker has a sticky error": (0.01, 0.05),
    "worker outlives SIGTERM": (0.3, 1.0),
    "worker outlives SIGKILL": (0.2, 1.0),
    "worker cannot be started": (0.05, 0.3),
    "worker's end is told twice": (0.05, 0.3),
    "model ends its worker at everything": (0.05, 0.3),
    "model captions nothing but the probe image": (0.05, 0.3),
    "device ends its worker at everything": (0.05, 0.3),
    # Silence
    "worker freezes": (0.01, 0.05),
    "worker hangs while it decodes": (0.02, 0.1),
    "worker hangs in a batch": (0.02, 0.1),
    "worker hangs in a load": (0.02, 0.1),
    "worker is stuck in reads": (0.01, 0.1),
    "worker waits for a slot": (0.05, 0.3),
    "supervisor is stopped for a while": (0.001, 0.01),
    # Messages
    "message comes twice": (0.005, 0.05),
    "messages change places": (0.01, 0.1),
    "rows come doubled": (0.02, 0.2),
    "rows come in another order": (0.1, 0.5),
    "rows come again, late": (0.02, 0.2),
    "rows of another task": (0.01, 0.1),
    "rows of another attempt": (0.01, 0.1),
    "row out of range": (0.01, 0.1),
    "row that was not sent": (0.05, 0.3),
    "row is left out": (0.02, 0.1),
    "row with impossible tokens": (0.02, 0.1),
    "row with a caption too large": (0.02, 0.1),
    "row that ends in no known way": (0.02, 0.1),
    "row that excludes its record": (0.02, 0.1),
    "row with an error of no kind": (0.02, 0.1),
    "probe image fails": (0.2, 0.9),
    "line that is no JSON": (0.005, 0.03),
    "line that is no message": (0.005, 0.03),
    "line cut in the middle": (0.005, 0.03),
    "message cut by the end of the worker": (0.2, 1.0),
    "message of a model that was loaded before": (0.1, 0.5),
    "messages come late": (0.1, 0.8),
    # Loads
    "checkpoint is bad": (0.02, 0.3),
    "load has no memory": (0.05, 0.3),
    "load fails by an exception": (0.02, 0.2),
    "load is killed": (0.02, 0.2),
    "batch does not fit": (0.02, 0.2),
    # Servers
    "server is away at a load": (0.05, 0.3),
    "server goes away": (0.05, 0.3),
    "server asks to wait": (0.05, 0.3),
    "server goes away without records": (0.05, 0.2),
    "server is said to have other records": (0.05, 0.2),
    # Devices and machines
    "machine is lost": (0.005, 0.03),
    "node leaves": (0.005, 0.03),
    "node comes back": (0.1, 0.5),
    "another node comes": (0.01, 0.05),
    "GPU falls off the bus": (0.002, 0.01),
    "image root is lost": (0.01, 0.05),
    # Clocks
    "clock is set back": (0.003, 0.03),
    "clock is set ahead": (0.003, 0.03),
    # Disk
    "write gives EIO": (0.01, 0.1),
    "write gives ENOSPC": (0.01, 0.1),
    "write is short": (0.01, 0.1),
    "write is a short one and then fails": (0.01, 0.1),
    "fsync fails": (0.02, 0.2),
    "dropped pages are evicted": (0.5, 1.0),
    "log cannot be opened": (0.01, 0.1),
    "log cannot be read": (0.01, 0.1),
    "log cannot be cut": (0.1, 0.5),
    "log loses its end while it is in use": (0.005, 0.05),
    "log is cut while it is read back": (0.05, 0.3),
    "log is cut while nothing runs": (0.05, 0.3),
    "log is deleted while nothing runs": (0.05, 0.3),
    "log is appended to while nothing runs": (0.05, 0.3),
    "log is changed while nothing runs": (0.05, 0.3),
    "sheared file cannot be written": (0.05, 0.3),
    "sheared file is changed": (0.2, 0.8),
    "sheared file is deleted": (0.2, 0.8),
    "project.json cannot be written": (0.3, 0.9),
    "disk stays full": (0.3, 0.9),
    # Database
    "database is busy at a commit": (0.02, 0.2),
    "database is busy at a read": (0.02, 0.2),
    "database is full": (0.005, 0.05),
    "database cannot be written": (0.005, 0.05),
    "database is damaged": (0.002, 0.02),
    "database is deleted": (0.02, 0.1),
    # The supervisor's own end, or that of a command
    "supervisor is killed between turns": (0.002, 0.02),
    "supervisor is killed before a file operation": (0.003, 0.03),
    "supervisor is killed after a new file": (0.03, 0.3),
    "supervisor is killed before a write": (0.005, 0.05),
    "supervisor is killed in a write": (0.005, 0.05),
    "supervisor is killed after a write": (0.005, 0.05),
    "supervisor is killed before a log is cut": (0.03, 0.3),
    "supervisor is killed before a sync": (0.005, 0.05),
    "supervisor is killed after a sync": (0.005, 0.05),
    "supervisor is killed before a sheared file": (0.03, 0.3),
    "supervisor is killed after a sheared file": (0.03, 0.3),
    "supervisor is killed before project.json": (0.03, 0.3),
    "supervisor is killed before a commit": (0.005, 0.05),
    "supervisor is killed in a transaction": (0.005, 0.05),
    "supervisor is killed after a commit": (0.005, 0.05),
    "power is cut with the kill": (0.2, 0.9),
    "power cut leaves zeros": (0.2, 0.8),
    "power cut leaves a hole": (0.2, 0.8),
    "power cut loses a new file": (0.5, 1.0),
    # People
    "request to a run": (0.02, 0.2),
    "request that makes no sense": (0.1, 0.5),
    "two requests at once": (0.1, 0.5),
    "request while nothing runs": (0.2, 0.8),
    "command carries out what a run did not come to": (0.2, 0.8),
    "command beside a run": (0.002, 0.02),
    "two screens read": (0.002, 0.01),
    "run is stopped": (0.001, 0.01),
    "project folder is moved away": (0.001, 0.005),
    "lock file is removed": (0.001, 0.005),
    # Shards
    "shard file is written to": (0.002, 0.02),
    "shard file is removed": (0.002, 0.02),
    "shard cannot be read": (0.005, 0.03),
    "captions are asked again": (0.02, 0.2),
    "caption asked again is no better": (0.1, 0.5),
    # Scorers
    "row with a score that is no number": (0.02, 0.1),
    "row with scores of other captions": (0.02, 0.1),
    "captions are sheared in another way": (0.2, 0.8),
    "captions are left out for a time": (0.02, 0.2),
    "captions come while they are scored": (0.1, 0.5),
}
"""Every kind of fault, and the rates (per occasion) of which a schedule draws one."""
SHARES_OF_KINDS = (0.05, 0.15, 0.3, 0.6)
"""About as many of the kinds are switched on in one schedule: faults of all kinds at once hide each
other, and let no run come far."""

COMMON = (
    "captions are left out for a time",
    "captions come while they are scored",
    "captions are asked again",
    "caption asked again is no better",
)
"""Kinds of which most schedules have each: only few have a scorer, or a server, and come to what
these change."""
COMMON_SHARE = 0.6


class Faults:
    """Which faults happen in one schedule."""

    def __init__(self, seed: int, only: Set[tuple[str, int]] | None = None) -> None:
        """`only` leaves out every other fault: (kind, number of the occasion) pairs."""
        chooser = random.Random(f"{seed} rates")
        self.only = only
        self.calm = False
        """True once nothing may go wrong any more."""
        self.checking = False
        """True while the simulation itself looks at the project: then nothing is drawn."""
        self.rates: dict[str, float] = {}
        self.streams: dict[str, random.Random] = {}
        share = chooser.choice(SHARES_OF_KINDS)
        for kind, rates in RATES.items():
            rate = chooser.choice(rates)
            if chooser.random() < (COMMON_SHARE if kind in COMMON else share):
                self.rates[kind] = rate
                self.streams[kind] = random.Random(f"{seed} {kind}")
        self.occasions: Counter[str] = Counter()
        self.happened: list[tuple[str, int]] = []
        """The faults that happened, in order."""

    @contextmanager
    def none(self) -> Iterator[None]:
        """Have nothing happen within the block, in which the project is only looked at."""
        before, self.checking = self.checking, True
        try:
            yield
        finally:
            self.checking = before

    def happens(self, kind: str) -> bool:
        """Return True if a fault of this kind happens on this occasion."""
        rate = self.rates.get(kind)
        if self.checking:
            return False
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
