"""Kills the workers of a process that dies, whatever the workers are doing at that time.

A worker may be stopped, or not have run its first line, so that nothing that a worker does for
itself (`parent_death`) has happened yet. Outside of Linux this module does nothing.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class KillOnClose:
    """A pipe that nobody writes to and that this process alone holds open for writing.

    When the last writer of a pipe is gone, Linux sends a signal to the owner of each reading end:
    here SIGKILL to a worker's process group.
    """

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    @contextmanager
    def reading_ends(self) -> Iterator[tuple[int, ...]]:
        """Give the file descriptor of a new reading end, for one worker to inherit.

        Outside of Linux there is none.
        """
        if sys.platform != "linux":
            yield ()
            return
        # Opened anew, since a duplicate would share its owner with the ends of other workers.
        end = os.open(f"/proc/self/fd/{self.read_end}", os.O_RDONLY)
        try:
            yield (end,)
        finally:
            os.close(end)

    def close(self) -> None:
        """Close the pipe, which kills the workers that still hold a reading end."""
        os.close(self.read_end)
        os.close(self.write_end)


def kill_group_on_close(ends: tuple[int, ...], group: int) -> None:
    """Let the closing of the pipe kill the process group of the worker that inherited `ends`."""
    if sys.platform == "linux":
        for end in ends:
            fcntl.fcntl(end, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(end, fcntl.F_SETOWN, -group)
            fcntl.fcntl(end, fcntl.F_SETFL, os.O_ASYNC)
