"""What a worker does before all else: it ties its life to its supervisor's.

Imported alone, before anything that takes time or memory.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys


def die_with_parent(parent: int) -> None:
    """On Linux the kernel ends this process when the supervisor dies, and then its children."""
    if sys.platform == "linux":
        signal_at_death_of_parent(signal.SIGKILL)
        guard_children()
    if os.getppid() != parent:
        end_process_group()


def guard_children() -> None:
    """A child process that ends the group when this one is gone, however that came about."""
    worker = os.getpid()
    if os.fork() > 0:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal_at_death_of_parent(signal.SIGTERM)
    for descriptor in (0, 1):
        os.close(descriptor)  # the pipes are the worker's
    while os.getppid() == worker:
        signal.sigwait({signal.SIGTERM})
    end_process_group()


def signal_at_death_of_parent(number: signal.Signals) -> None:
    ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def end_process_group() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)
