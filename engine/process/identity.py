"""Which process is which: a recycled pid is told apart by when it started and in which boot."""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path

import psutil

from db.rows import SupervisorRow, WorkerRow

ELSEWHERE = "elsewhere"
"""In place of the boot of another machine, which cannot be asked for a process of its own."""
FRESH_SECONDS = 90.0
"""A process elsewhere lives if something was heard of it so lately."""


@cache
def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"booted-{psutil.boot_time():.0f}"


def host() -> str:
    return socket.gethostname()


def started(pid: int) -> float | None:
    """A number fixed at the process's start and compared only for equality; None if there is none.

    On Linux clock ticks since boot, which no change of the clock moves.
    """
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return None
        if psutil.LINUX:
            # The command's name, in parentheses, may hold blanks and parentheses itself.
            stat = Path(f"/proc/{pid}/stat").read_text()
            return float(stat.rpartition(")")[2].split()[19])
        return psutil.Process(pid).create_time()
    except (psutil.Error, OSError):
        return None


def this() -> tuple[int, float, str]:
    """pid, start and boot of this process."""
    pid = os.getpid()
    return pid, started(pid) or 0.0, boot_id()


def lives(row: SupervisorRow | WorkerRow) -> bool:
    """Whether the process a row speaks of is still that process, on this boot of this host.

    Of a worker elsewhere its supervisor, if that lives, knows as much as can be known.
    """
    if isinstance(row, WorkerRow) and row.boot_id == ELSEWHERE:
        return time.time() - row.heartbeat < FRESH_SECONDS
    if row.boot_id != boot_id():
        return False
    return started(row.pid) == row.created
