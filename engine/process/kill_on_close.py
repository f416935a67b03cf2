"""Ends the workers of a process that dies, whatever they are doing: stopped, or not yet at their
first line, where nothing that a worker does for itself has happened yet."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Lifeline:
    """A pipe that nobody writes to and this process alone holds open.

    When the last writer of a pipe is gone, Linux sends a signal to the owner of each reading end:
    here SIGKILL to a worker's process group.
    """

    def __init__(self) -> None:
        self.end, self.held = os.pipe()

    @contextmanager
    def given(self) -> Iterator[tuple[int, ...]]:
        """A reading end for one worker to inherit; none where the system is not Linux."""
        if sys.platform != "linux":
            yield ()
            return
        end = os.open(f"/proc/self/fd/{self.end}", os.O_RDONLY)
        try:
            yield (end,)
        finally:
            os.close(end)

    def close(self) -> None:
        os.close(self.end)
        os.close(self.held)


def tie(ends: tuple[int, ...], group: int) -> None:
    """The reading end that a worker has inherited to its process group."""
    if sys.platform == "linux":
        for end in ends:
            fcntl.fcntl(end, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(end, fcntl.F_SETOWN, -group)
            fcntl.fcntl(end, fcntl.F_SETFL, os.O_ASYNC)
