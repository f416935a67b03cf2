"""The progress of several jobs that run in different processes, in a file of eight bytes a job."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path


class SharedCounter:
    """One count for each job, and their sum.

    An instance that is pickled for another process goes there without its callback.
    """

    def __init__(self, path: Path, on_total: Callable[[int], None] = lambda total: None) -> None:
        """Use the counts in the file at `path`; `on_total` is called with every new sum."""
        self.path = path
        self.on_total = on_total

    def set_count(self, job: int, count: int) -> None:
        """Set the count of one job, given by its 0-based number, and report the sum."""
        with self.path.open("r+b", buffering=0) as file:
            file.seek(8 * job)
            file.write(array("q", [count]).tobytes())
        self.report_total()

    def report_total(self) -> None:
        self.on_total(sum(array("q", self.path.read_bytes())))

    def __reduce__(self) -> tuple[type[SharedCounter], tuple[Path]]:
        return SharedCounter, (self.path,)
