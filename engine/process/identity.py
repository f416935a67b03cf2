"""Which process is which, also after its pid was used again.

A process is identified by its pid, the time at which it started and the boot in which it did.
"""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path

import psutil

from db.rows import SupervisorRow, WorkerRow

ELSEWHERE = "elsewhere"
"""Stands for the boot id of a worker on another machine, where processes cannot be looked up."""
REMOTE_ALIVE_SECONDS = 90.0
"""Seconds since its last heartbeat for which a worker on another machine counts as alive."""


@cache
def boot_id() -> str:
    """Return the id of this machine's current boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"booted-{psutil.boot_time():.0f}"


def host_name() -> str:
    return socket.gethostname()


def process_start(pid: int) -> float | None:
    """Return when a process started, or None if there is no such process or it is a zombie.

    The number is fixed at the process's start and compared only for equality. On Linux it is in
    clock ticks since boot, which no change of the wall clock moves; elsewhere in seconds.
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


def this_process() -> tuple[int, float, str]:
    """Return the pid, the start (`process_start`) and the boot id of this process."""
    pid = os.getpid()
    return pid, process_start(pid) or 0.0, boot_id()


def has_heartbeat(row: WorkerRow) -> bool:
    """Return True if a worker that cannot be looked up counts as alive by its last heartbeat."""
    return time.time() - row.heartbeat < REMOTE_ALIVE_SECONDS


def is_alive(row: SupervisorRow | WorkerRow) -> bool:
    """Return True if the process of a row still runs, in this boot of this machine.

    A worker on another machine counts as alive by its last heartbeat.
    """
    if isinstance(row, WorkerRow) and row.boot_id == ELSEWHERE:
        # Its supervisor wrote the row, and knows as much of the worker as can be known.
        return has_heartbeat(row)
    if row.boot_id != boot_id():
        return False
    return process_start(row.pid) == row.created
