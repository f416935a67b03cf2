"""Kills a worker and its children when its supervisor dies, and closes an application in a browser
when its server does.

The process runs this before all else, and the module is imported alone, before anything that takes
time or memory.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""The option of Linux's prctl(2) that sets the signal which a process gets when its parent dies."""


def die_with_parent(parent: int) -> None:
    """End this process group when the process `parent` dies, or now if it has died already.

    On Linux the kernel kills this process, and a guard then kills its children; elsewhere only
    whether `parent` still lives is checked, once.
    """
    if sys.platform == "linux":
        set_parent_death_signal(signal.SIGKILL)
        guard_children()
    if os.getppid() != parent:
        end_process_group()


def close_with_parent(parent: int) -> None:
    """Have this process alone get SIGTERM when the process `parent` dies, or now if it has."""
    if sys.platform == "linux":
        set_parent_death_signal(signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def guard_children() -> None:
    """Fork a guard that kills the process group when this process is gone, however it ended."""
    worker = os.getpid()
    if os.fork() > 0:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    set_parent_death_signal(signal.SIGTERM)
    for descriptor in (0, 1):
        os.close(descriptor)  # the pipes are the worker's
    while os.getppid() == worker:
        signal.sigwait({signal.SIGTERM})
    end_process_group()


def set_parent_death_signal(number: signal.Signals) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def end_process_group() -> None:
    """Kill this process and all others of its group."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
