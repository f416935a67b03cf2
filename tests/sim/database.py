"""The database of a simulated run: the real one, which may be busy, full, unwritable or damaged."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from db import connection, requests
from tests.sim.faults import Faults

Answer = Callable[..., None]


class SimulatedDatabase:
    """Stands in for `reading` and `writing` of `db.connection`."""

    def __init__(
        self,
        faults: Faults,
        rng: random.Random,
        die: Callable[[str | None], None],
        answers: Counter[int],
        on_commit: Callable[[], None],
    ) -> None:
        """`answers` counts how often each request was answered in a transaction that was
        committed. `on_commit` is called after each commit."""
        self.faults = faults
        self.rng = rng
        self.die = die
        self.answers = answers
        self.on_commit = on_commit
        self.answered: list[int] = []
        """Requests that were answered in the present transaction."""
        self.damaged = False
        """True from when the file is damaged until it was rebuilt."""
        self.saved = True
        """True if the last transaction was committed."""

    @contextmanager
    def reading(self, path: Path, *arguments: Any) -> Iterator[Connection]:
        if self.faults.happens("database is busy at a read"):
            raise connection.DatabaseBusy("simulated")
        with connection.reading(path, *arguments) as opened:
            yield opened

    @contextmanager
    def writing(self, path: Path, *arguments: Any) -> Iterator[Connection]:
        self.saved = False
        self.answered.clear()
        self.die("supervisor is killed before a commit")
        if not self.damaged and self.faults.happens("database is damaged"):
            self.damage(path)
        self.refuse()
        with connection.writing(path, *arguments) as opened:
            yield opened
            self.refuse()  # what was written within the transaction is rolled back
            self.die("supervisor is killed in a transaction")
        self.saved = True
        self.answers.update(self.answered)
        self.on_commit()
        self.die("supervisor is killed after a commit")

    def answer(self, opened: Connection, request_id: int, *rest: Any) -> None:
        """Stand in for `db.requests.answer`, and count."""
        self.answered.append(request_id)
        requests.answer(opened, request_id, *rest)

    def damage(self, path: Path) -> None:
        """Overwrite the beginning of the file, or cut it short."""
        data = path.read_bytes()
        beginning = self.rng.choice([b"no database " * 20, b"\0" * 4096])
        path.write_bytes(beginning + data[len(beginning) :])
        self.damaged = True

    def refuse(self) -> None:
        if self.faults.happens("database is busy at a commit"):
            raise connection.DatabaseBusy("simulated")
        if self.faults.happens("database is full"):
            raise connection.DatabaseDiskFull("simulated")
        if self.faults.happens("database cannot be written"):
            raise connection.DatabaseUnusable("simulated")
