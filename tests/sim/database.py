"""The database of a simulated run: the real one, which may be busy, full or unwritable."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from db import connection
from tests.sim.faults import Faults


class SimulatedDatabase:
    """Stands in for `reading` and `writing` of `db.connection`."""

    def __init__(self, faults: Faults, rng: random.Random, die: Callable[[str], None]) -> None:
        self.faults = faults
        self.rng = rng
        self.die = die

    @contextmanager
    def reading(self, path: Path, *arguments: Any) -> Iterator[Connection]:
        if self.faults.happens("database is busy at a read"):
            raise connection.DatabaseBusy("simulated")
        with connection.reading(path, *arguments) as opened:
            yield opened

    @contextmanager
    def writing(self, path: Path, *arguments: Any) -> Iterator[Connection]:
        self.die("supervisor is killed before a commit")
        self.refuse()
        with connection.writing(path, *arguments) as opened:
            yield opened
            self.refuse()  # what was written within the transaction is rolled back
        self.die("supervisor is killed after a commit")

    def refuse(self) -> None:
        if self.faults.happens("database is busy at a commit"):
            raise connection.DatabaseBusy("simulated")
        if self.faults.happens("database is full"):
            raise connection.DatabaseDiskFull("simulated")
        if self.faults.happens("database cannot be written"):
            raise connection.DatabaseUnusable("simulated")
